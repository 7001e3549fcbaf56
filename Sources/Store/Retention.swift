import Linux
import Logging
import Messaging
import Pacing
import Reactor
import StoreAPI
import Telemetry

/// How long entries are kept, and the pace at which older ones are removed.
package struct RetentionSettings: Equatable, Sendable {
    /// Zero: entries of the kind are kept for ever.
    package var notifications: Duration = .zero
    package var messages: Duration = .zero
    package var system: Duration = .zero
    /// From the end of a pass through all channels to the next.
    package var interval: Duration = .seconds(3_600)
    /// Between two steps of a pass, so that removing costs a small part of the lane's time.
    package var pause: Duration = .milliseconds(100)
    /// Before a step that failed is tried again.
    package var retry: Duration = .seconds(10)
    package init() {}

    var isOff: Bool { notifications == .zero && messages == .zero && system == .zero }
}

/// Removes entries that are older than those of their kind are kept. Its orders take their turns with all others.
// @unchecked Sendable: made by the store's thread, which alone uses it. `deliver` is called on that thread.
final class Retention: StoreClient, @unchecked Sendable {
    /// One way through all channels.
    private struct Pass {
        let began: MonotonicInstant
        var after: Int64 = 0
        var removed = 0
        var oldest: Timestamp?
    }

    private let settings: RetentionSettings
    private let loop: EventLoop
    private let front: StoreFront
    private let log: Logger
    private var pass: Pass?

    init(_ settings: RetentionSettings, loop: EventLoop, front: StoreFront, log: Logger) {
        self.settings = settings
        self.loop = loop
        self.front = front
        self.log = log
    }

    /// The tables are there.
    func start() {
        if !settings.isOff { step() }
    }

    private func step(after delay: Duration) {
        _ = loop.after(delay) { [weak self] in self?.step() }
    }

    private func step() {
        let pass = pass ?? Pass(began: loop.now)
        self.pass = pass
        let now = WallClock.now()
        func old(_ age: Duration) -> Timestamp? { age == .zero ? nil : Timestamp(milliseconds: now - age.wholeMilliseconds) }
        let removal = Removal(
            after: pass.after, notifications: old(settings.notifications), messages: old(settings.messages), system: old(settings.system))
        let order = StoreOrder(request: .remove(removal), client: self, token: 0)
        if front.state == .stopped { return }
        if !front.submit([order]) { step(after: settings.retry) }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            guard case .removed(let removed) = outcome.reply else {
                front.statistics.retentionFailures.add()
                log.warning("old entries could not be removed; it is tried again", metadata: ["reply": "\(outcome.reply)"])
                step(after: settings.retry)
                continue
            }
            took(removed)
        }
    }

    private func took(_ removed: Removed) {
        guard var pass else { return }
        front.statistics.entriesRemoved.add(UInt64(removed.entries))
        pass.removed += removed.entries
        if let oldest = removed.oldest { pass.oldest = min(pass.oldest ?? oldest, oldest) }
        if let next = removed.next {
            pass.after = next
            self.pass = pass
            return step(after: settings.pause)
        }
        self.pass = nil
        front.statistics.retentionFinished.set(WallClock.now() / 1_000)
        front.statistics.oldestEntry.set((pass.oldest?.milliseconds ?? 0) / 1_000)
        log.notice(
            "removed entries that were older than they are kept",
            metadata: ["entries": "\(pass.removed)", "took": "\(loop.now - pass.began)"])
        step(after: settings.interval)
    }
}
