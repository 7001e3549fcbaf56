package import Messaging

/// What a bus carries.
package enum BusEvent: Equatable, Sendable {
    /// New entries, ascending per channel.
    case entries([Entry])
    /// A user's cursor moved.
    case moved(MovedCursor)
    /// A conversation was made; its members may want to follow it.
    case opened(ChannelState, by: UserID)
    /// A user may no longer follow the channel: their subscriptions end.
    case withdrawn(Channel, from: UserID)
    /// Nothing of this is stored.
    case signal(BusSignal)
}

/// What only those hear who are there at the moment. The store knows nothing of it, so a lost signal stays lost.
package enum BusSignal: Equatable, Sendable {
    /// A user is typing in a conversation.
    case typing(Channel, UserID)
}
