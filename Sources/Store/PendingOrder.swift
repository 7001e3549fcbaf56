import Linux
import StoreAPI

/// An order the store has accepted and not yet answered.
struct PendingOrder {
    let order: StoreOrder
    /// While the database is away: until when this order waits for it before it is answered `.unavailable`.
    var patience: MonotonicInstant?
    /// It was in flight when a connection was lost, so it may have been committed without anyone having been told.
    var unsettled = false
    /// Its last run took longer than is allowed.
    var isSlow = false
    /// Times it was run and rolled back through no fault of its own.
    var conflicts = 0
}
