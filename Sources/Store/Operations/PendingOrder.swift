import Linux
import Messaging
import StoreAPI

/// An order that the store has accepted and not yet answered.
struct PendingOrder: Equatable {
    let order: StoreOrder
    /// While the database is away: when this order stops waiting and is answered `.unavailable`.
    var waitsUntil: MonotonicInstant?
    /// What earlier transactions have stored of an `ingest` that is larger than a batch, from its first draft on.
    var stored: [StoredDraft?] = []
    /// It was in flight when a connection was lost. It may have been committed without an announcement on the bus.
    var unsettled = false
    /// Its last run took longer than is allowed.
    var isSlow = false
    /// How often its transaction was rolled back because of a conflict with another one.
    var conflicts = 0

    /// Sets the end of waiting, unless the order already waits.
    mutating func wait(until end: MonotonicInstant) {
        if waitsUntil == nil { waitsUntil = end }
    }

    static func == (a: PendingOrder, b: PendingOrder) -> Bool {
        a.order === b.order && a.waitsUntil == b.waitsUntil && a.unsettled == b.unsettled && a.isSlow == b.isSlow
            && a.conflicts == b.conflicts && a.stored == b.stored
    }
}
