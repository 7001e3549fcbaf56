package import Messaging

/// An item that a bus carries.
package enum BusEvent: Equatable, Sendable {
    /// New entries, ascending per channel.
    case entries([Entry])
    /// A conversation has new entries. Its members are told although they do not follow it.
    case active(Channel, members: [UserID])
    /// A user's cursor moved.
    case moved(MovedCursor)
    /// A conversation was made; its members may want to follow it.
    case opened(ChannelState, by: UserID)
    /// Other members of the conversation hide the user's messages from now on, or do so no longer: the user's sessions read its state again.
    case hidingChanged(Channel, of: UserID)
    /// A user may no longer follow the channel: their subscriptions end.
    case withdrawn(Channel, from: UserID)
    /// Sessions end, and older tokens are refused.
    case fenced(Fence)
    /// Another hub stored entries of the channel, up to this one. Listeners read them from the store.
    case storedElsewhere(Channel, upTo: Seq)
    /// Another hub moved the user's cursor, up to this `ChannelState.version`; 0: not known. Listeners read it from the store.
    case movedElsewhere(UserID, Channel, version: UInt64)
    /// Nothing of this is stored.
    case signal(BusSignal)
}

/// An item for sessions that are connected now. The store does not keep it, so a lost signal is not sent again.
package enum BusSignal: Equatable, Sendable {
    /// A user is typing in a conversation. These members of it have blocked the user.
    case typing(Channel, UserID, hiddenFrom: [UserID] = [])
    /// Who is there.
    case presence(PresenceNews)
}
