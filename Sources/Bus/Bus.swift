/// Carries what was committed, and signals, to every event loop of every node.
///
/// PostgreSQL is the log; the bus is a hint that makes delivery fast. No guarantee of the hub rests on the bus.
///
/// **Threads.** Every function may be called from any thread, and none of them waits: not for a peer, not for a broker. The store's
/// thread alone publishes what was committed. Each loop publishes the signals of its own sessions, once a turn.
///
/// **Order.** The store publishes in the order of its commits, before it sends the replies. An implementation tries to keep the order
/// of each publisher. Listeners must not rely on it.
///
/// **Loss.** An implementation may lose, repeat and reorder anything; a committed event may even come before an earlier one of its
/// channel. An implementation that knows of a loss calls `BusListener.missedEvents()`. What repairs what:
///
/// | lost | repaired by |
/// |---|---|
/// | an entry | a later entry of its channel (the gap in `seq` makes the subscriber read a page), or a reported loss |
/// | the last entry of a channel, with no report | of another hub: its journal; of this one: nothing, until the next entry of the channel or the next reported loss |
/// | a moved cursor | a reported loss (every subscription reads its state), or the next move of that cursor |
/// | a withdrawn right | the store refuses the user's commands in the channel; a reported loss ends the subscription (its state is refused) |
/// | an opened conversation | nothing here: the member finds it by `conversations` or by the next `connect` |
/// | a signal | nothing |
///
/// A repeated or late entry is recognized by its `seq`, a repeated or late cursor by its version. A repeated `opened` is told again;
/// clients treat it as "look at your conversations".
package protocol Bus: AnyObject, Sendable {
    /// Hands on events that were committed together, in the order of their commits. None of them is a signal.
    func publish(committed events: [BusEvent])

    /// Hands on what other hubs committed, as this one has read it: to the listeners of this hub alone. Nil: there was more than was read.
    func publish(found events: [BusEvent]?)

    /// Hands on signals. They are the first to be dropped when there is too much.
    func publish(signals: [BusSignal])

    /// Sets the function that brings signals to other hubs. The bus calls it on the publisher's thread, so it must not wait.
    func carrySignals(_ carrier: @escaping @Sendable ([BusSignal]) -> Void)

    /// From now on the listener hears what is published. A listener that subscribes twice hears everything once.
    /// Subscribe first, read the state from the store afterwards: what is committed in between is heard.
    func subscribe(_ listener: any BusListener)

    /// A call that began on another thread may still reach the listener after this returns.
    func unsubscribe(_ listener: any BusListener)

    /// Whether this node hears the others now.
    var health: BusHealth { get }
}

/// A subscriber of a bus, such as the inbox of one event loop.
///
/// Called on any thread, also on several at once; takes what it is given and returns without waiting.
package protocol BusListener: AnyObject, Sendable {
    /// One batch as it was published: committed events, or signals, never both.
    func hear(_ events: [BusEvent])

    /// Committed events were lost, and the bus does not know which ones. The subscriber reads newer entries from the store.
    func missedEvents()
}

package enum BusHealth: Equatable, Sendable {
    case up
    /// Events may be late or lost. The reason is a text for logs and for the health report.
    case degraded(reason: String)
}
