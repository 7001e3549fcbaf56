package import Messaging

/// Whoever asks the store.
package protocol StoreClient: AnyObject, Sendable {
    /// Exactly one outcome per accepted order, in any order. Called on the store's thread: post it on and return.
    func deliver(_ outcomes: [StoreOutcome])
}

/// A class, because it passes through many hands: a request holds several references, an order is one.
package final class StoreOrder: Sendable {
    package let request: StoreRequest
    package let client: any StoreClient
    /// The client's own mark, given back with the outcome.
    package let token: UInt64
    package init(request: consuming StoreRequest, client: any StoreClient, token: UInt64) {
        self.request = request
        self.client = client
        self.token = token
    }
}

package struct StoreOutcome: Equatable, Sendable {
    package var token: UInt64
    package var reply: StoreReply
    package init(token: UInt64, reply: StoreReply) {
        self.token = token
        self.reply = reply
    }
}

/// Where orders for the store are handed in. Any thread.
package protocol StoreDesk: AnyObject, Sendable {
    /// All or nothing; false when it is full.
    func submit(_ orders: [StoreOrder]) -> Bool
    /// Orders it would take now, or so; less when others hand in too.
    var room: Int { get }
    /// Whether answers come before long.
    var isUp: Bool { get }
}
