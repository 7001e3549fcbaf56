import Messaging
import Reactor

/// Takes expired entries off the counters of connected sessions. A loop counts entries as they pass and cannot tell which of them a user has
/// read: when one expires, the store is asked for the counters of the sessions that have any.
final class ExpiryWatch {
    /// How long after its expiry an entry may still count, when few sessions are concerned.
    private static let interval: Duration = .seconds(5)
    /// How long after a retraction in a channel with few sessions an entry may still count. Retractions of this time share a question.
    private static let retractionPause: Duration = .milliseconds(100)
    /// The expiry of a broadcast concerns thousands of sessions at once: after so many questions commands get through during a pause.
    private static let stepQuestions = 256
    private static let stepPause: Duration = .milliseconds(100)

    private let state: LoopState
    private let gateway: StoreGateway
    private var due: [(channel: Channel, slot: Int)] = []
    private var isScheduled = false
    private var isScheduledSoon = false

    init(_ state: LoopState, gateway: StoreGateway) {
        self.state = state
        self.gateway = gateway
    }

    func note(_ expiry: Timestamp?, in channel: Channel) {
        guard let expiry, state.fanOut.note(expiry: expiry, in: channel) else { return }
        schedule()
    }

    /// An entry of the channel was taken back, which may have been counted.
    func noteRetraction(in channel: Channel) {
        note(state.now, in: channel)
        // The sessions of a broadcast would ask too much after each of many retractions.
        guard channel.kind != .broadcast, !isScheduledSoon, state.fanOut.roster(of: channel) != nil else { return }
        isScheduledSoon = true
        state.loop.after(Self.retractionPause) { [unowned self] in
            isScheduledSoon = false
            due += state.fanOut.takeExpired(upTo: state.now).map { ($0, 0) }
            recountExpired()
            schedule()
        }
    }

    private func schedule() {
        guard !isScheduled, !due.isEmpty || state.fanOut.earliestExpiry != nil else { return }
        isScheduled = true
        state.loop.after(due.isEmpty ? Self.interval : Self.stepPause) { [unowned self] in
            isScheduled = false
            if due.isEmpty { due = state.fanOut.takeExpired(upTo: state.now).map { ($0, 0) } }
            recountExpired()
            schedule()
        }
    }

    private func recountExpired() {
        var left = Self.stepQuestions
        while left > 0, let (channel, slot) = due.last {
            let (sessions, next) = state.fanOut.counting(in: channel, from: slot, atMost: left)
            due.removeLast()
            if let next { due.append((channel, next)) }
            left -= sessions.count
            for id in sessions {
                guard let live = state.table[id], let index = live.session.subscription(to: channel) else { continue }
                gateway.recount(live, live.session.subscriptions[index])
            }
        }
    }
}
