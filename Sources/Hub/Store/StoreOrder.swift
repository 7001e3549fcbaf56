import Linux
public import Messaging

/// Whoever asks the store.
public protocol StoreClient: AnyObject, Sendable {
    /// Exactly one outcome per accepted order, in any order. Called on the store's thread: post it on and return.
    func deliver(_ outcomes: [StoreOutcome])
}

/// A class, because it passes through many hands: a request holds several references, an order is one.
public final class StoreOrder: Sendable {
    public let request: StoreRequest
    public let client: any StoreClient
    /// The client's own mark, given back with the outcome.
    public let token: UInt64
    public init(request: consuming StoreRequest, client: any StoreClient, token: UInt64) {
        self.request = request
        self.client = client
        self.token = token
    }
}

public struct StoreOutcome: Equatable, Sendable {
    public var token: UInt64
    public var reply: StoreReply
    public init(token: UInt64, reply: StoreReply) {
        self.token = token
        self.reply = reply
    }
}

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
