import Messaging
import Reactor

/// Takes expired entries off the counters of connected sessions. A loop counts entries as they pass and cannot tell which
/// of them a user has read: when one expires, the store is asked for the counters of those who have any.
struct ExpiryWatch {
    /// How long after its expiry an entry may still count, when few sessions are concerned.
    static let interval: Duration = .seconds(5)
    /// The expiry of a broadcast concerns thousands at once: so many questions, then a pause, so that commands get through.
    static let stepQuestions = 256
    static let stepPause: Duration = .milliseconds(100)

    fileprivate var due: [(channel: Channel, place: Int)] = []
    fileprivate var isScheduled = false
}

extension SessionLoop {
    func noteExpiry(_ expiry: Timestamp?, in channel: Channel) {
        guard let expiry, fanOut.note(expiry: expiry, in: channel) else { return }
        watchExpiries()
    }

    private func watchExpiries() {
        guard !expiryWatch.isScheduled, !expiryWatch.due.isEmpty || fanOut.earliestExpiry != nil else { return }
        expiryWatch.isScheduled = true
        loop.after(expiryWatch.due.isEmpty ? ExpiryWatch.interval : ExpiryWatch.stepPause) { [unowned self] in
            expiryWatch.isScheduled = false
            if expiryWatch.due.isEmpty { expiryWatch.due = fanOut.takeExpired(upTo: now).map { ($0, 0) } }
            recountExpired()
            watchExpiries()
        }
    }

    private func recountExpired() {
        var left = ExpiryWatch.stepQuestions
        while left > 0, let (channel, place) = expiryWatch.due.last {
            let (keys, next) = fanOut.counting(in: channel, from: place, atMost: left)
            expiryWatch.due.removeLast()
            if let next { expiryWatch.due.append((channel, next)) }
            left -= keys.count
            for key in keys {
                guard let live = sessions[key], let index = live.session.subscription(to: channel) else { continue }
                recount(live, live.session.subscriptions[index])
            }
        }
    }
}
