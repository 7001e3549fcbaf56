package import Messaging

/// Carries what was committed to every event loop (and, with more than one node, to every node).
package protocol Bus: AnyObject, Sendable {
    /// In commit order, called on the store's thread right after the commit and before the replies.
    func publish(_ events: [BusEvent])
}

package enum BusEvent: Equatable, Sendable {
    /// New entries, ascending per channel.
    case entries([Entry])
    case moved(MovedCursor)
    /// A conversation was made; its members may want to follow it.
    case opened(ChannelState, by: UserID)
    /// Somebody is typing. May be lost.
    case typing(Channel, UserID)
}

/// The bus of a single node: every event goes to the mailbox of every loop.
package final class LocalBus: Bus {
    private let loops: [any BusListener]
    package init(loops: [any BusListener]) { self.loops = loops }
    package func publish(_ events: [BusEvent]) {
        for loop in loops { loop.hear(events) }
    }
}

/// One event loop's ear. Called on any thread.
package protocol BusListener: AnyObject, Sendable {
    func hear(_ events: [BusEvent])
}
