import Linux
import Logging
import Messaging
import Reactor

// A process that stood still, because it or its machine was stopped, goes on as if nothing had happened. Meanwhile the other hubs took over.
extension SessionLoop {
    /// After this time the other hubs count a hub as lost, and Kafka's group has given its partitions away.
    static let longestStandstill: Duration = .seconds(10)
    /// Within this time the clients come back, to this hub or to another one.
    static let standstillSpread: Duration = .seconds(5)
    private static let lookInterval: Duration = .seconds(1)

    /// Ends all sessions (4200) when the loop has not run for too long: their clients have seen no answer, and what they hold of this hub is old.
    func watchStandstill() {
        let before = state.loop.now
        state.loop.after(Self.lookInterval) { [unowned self] in
            let silence = state.loop.now - before
            if silence > Self.longestStandstill { endAfterStandstill(of: silence) }
            watchStandstill()
        }
    }

    private func endAfterStandstill(of silence: Duration) {
        let sessions = state.table.all.map(\.id)
        guard !sessions.isEmpty else { return }
        state.log.warning(
            "the hub stood still, and ends its sessions so that they connect anew",
            metadata: ["seconds": "\(silence.components.seconds)", "sessions": "\(sessions.count)"])
        for id in sessions { leave(id) }
    }
}
