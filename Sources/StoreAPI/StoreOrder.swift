package import Messaging

/// A part of the hub that gives orders to the store.
package protocol StoreClient: AnyObject, Sendable {
    /// Exactly one outcome per accepted order, in any order. Called on the store's thread, which an implementation must not block.
    func deliver(_ outcomes: [StoreOutcome])
}

/// A class, because it is passed on often: a copy of a request counts several references, a copy of an order one.
package final class StoreOrder: Sendable {
    package let request: StoreRequest
    package let client: any StoreClient
    /// A number of the client's choice, which the outcome carries back.
    package let token: UInt64
    /// For whom a `page` is read. Other requests name their user.
    private let reader: UserID?
    /// The history to which the numbers in the request belong. In another one the order is answered `.unavailable`. nil: any.
    package let epoch: Epoch?

    package init(request: consuming StoreRequest, client: any StoreClient, token: UInt64, reader: UserID? = nil, epoch: Epoch? = nil) {
        self.request = request
        self.client = client
        self.token = token
        self.reader = reader
        self.epoch = epoch
    }

    /// Whether the numbers in the request belong to another history than the present one.
    package func isOutdated(in present: Epoch?) -> Bool { epoch != nil && epoch != present }

    /// The user whose turn the order takes; nil: the hub itself.
    package var user: UserID? { request.user ?? reader }
}

package struct StoreOutcome: Equatable, Sendable {
    package var token: UInt64
    package var reply: StoreReply
    package init(token: UInt64, reply: StoreReply) {
        self.token = token
        self.reply = reply
    }
}

/// Accepts orders for the store. Callable on any thread.
package protocol StoreDesk: AnyObject, Sendable {
    /// Accepts all of the orders or none. Returns false when there is no room for all.
    func submit(_ orders: [StoreOrder]) -> Bool
    /// Nobody waits any more for the answers to these orders of the client. Reads that have not reached the database are answered
    /// `.cancelled`; all other orders are carried out.
    func cancel(_ tokens: Set<UInt64>, of client: any StoreClient)
    /// About how many orders it would accept now; fewer when other threads submit at the same time.
    var room: Int { get }
    /// Whether the database is reachable, so that answers come soon.
    var isUp: Bool { get }
    /// How many connections to the database were made so far. When it has changed, the database may be another one than before: restored from
    /// a backup, for example.
    var connectionsMade: UInt64 { get }
    /// The intake found the database behind what Kafka knows to be stored. The store begins a new epoch, unless it knows already that the
    /// database went back.
    func noteDatabaseIsBehind()
    /// The history that the database has now, as far as the store knows; nil until it was reached for the first time. Set before anything
    /// of that history is published or answered.
    var epoch: Epoch? { get }
}
