import Linux
package import Messaging
import Reactor

/// A session as an operator sees it.
package struct SessionLine: Equatable, Sendable {
    /// As in the reply to `connect`.
    package let id: String
    package let transport: String
    /// Since the last sign of the user.
    package let idle: Duration
}

extension SessionLoop {
    /// One user may have many sessions; an answer has room for this many of each loop.
    private static let mostLines = 100

    package func lines(of user: UserID) -> [SessionLine] {
        state.table.users.sessions(of: user).prefix(Self.mostLines).compactMap { id in
            guard let live = state.table[id], !live.isEnding else { return nil }
            return SessionLine(id: live.session.id, transport: state.outbound.transportName(of: id), idle: state.loop.now - live.activeAt)
        }
    }
}
