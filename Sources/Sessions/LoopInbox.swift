package import Auth
package import Bus
import Linux
package import Messaging
package import Reactor
package import StoreAPI
import Synchronization

/// How other threads reach a loop's sessions: two bounded mailboxes, and beside them new keys and controls, such as drain.
///
/// Bus events may be more than the loop can take: then they are dropped, noted, and the loop reads the entries from the
/// store. Store outcomes are never more than the orders the loop has open, and it opens no more than their mailbox holds.
package final class LoopInbox: BusListener, StoreClient {

    package enum Control: Sendable {
        /// Says goodbye to every session over a time, and takes no new ones.
        case drain(Drain)
        /// Takes sessions again.
        case undrain
        /// Lists the sessions of a user.
        case list(UserID, @Sendable ([SessionLine]) -> Void)
        /// Finds whom a switch with this scope concerns: how many sessions, and whose.
        case reach(SwitchScope, @Sendable (Int, Set<UserID>) -> Void)
        /// The switches have changed.
        case switches(Switchboard)
        case stop
    }

    package struct Drain: Equatable, Sendable {
        /// The time in which every session is told.
        package var over: Duration
        /// Each client comes back at a random moment within this time after it was told.
        package var spread: Duration
        /// The hub ends: no connection is accepted, not even for health checks.
        package var isFinal: Bool
        package init(over: Duration, spread: Duration, isFinal: Bool) {
            self.over = over
            self.spread = spread
            self.isFinal = isFinal
        }
    }

    package let events: Mailbox<[BusEvent]>
    /// In batches as they were answered, each of at least one.
    package let outcomes: Mailbox<[StoreOutcome]>
    private let hasMissed = Atomic<Bool>(false)
    private let keyNews = Locked<KeyNews?>(nil)
    private let controls = Locked<[Control]>([])
    private let sessionCount = Atomic<Int>(0)
    private let wake: LoopHandle

    package init(loop: LoopHandle, events: Int, orders: Int) {
        self.events = Mailbox(capacity: events, wakes: loop)
        outcomes = Mailbox(capacity: orders, wakes: loop)
        wake = loop
    }

    package func hear(_ events: [BusEvent]) {
        if !self.events.post(events) { missedEvents() }
    }

    package func missedEvents() {
        hasMissed.store(true, ordering: .releasing)
        wake.wake()
    }

    /// The store has another epoch.
    package func historyChanged() { wake.wake() }

    package func deliver(_ batch: [StoreOutcome]) {
        if !batch.isEmpty, !outcomes.post(batch) { assertionFailure("more outcomes than orders") }
    }

    /// Kept beside the mailbox, so that a full one cannot lose new keys. Only the newest count.
    package func hear(_ news: KeyNews) {
        keyNews.withLock { $0 = news }
        wake.wake()
    }

    func takeKeyNews() -> KeyNews? {
        keyNews.withLock { heard in
            defer { heard = nil }
            return heard
        }
    }

    package func control(_ control: Control) {
        controls.withLock { $0.append(control) }
        wake.wake()
    }

    package func takeControls() -> [Control] {
        controls.withLock { controls in
            guard !controls.isEmpty else { return [] }
            defer { controls = [] }
            return controls
        }
    }

    /// Sessions of the loop, as of its last turn. Any thread.
    package var openSessions: Int { sessionCount.load(ordering: .relaxed) }
    package func report(sessions: Int) { sessionCount.store(sessions, ordering: .relaxed) }

    /// Whether events were dropped since last asked.
    func takeMissed() -> Bool {
        hasMissed.load(ordering: .relaxed) && hasMissed.exchange(false, ordering: .acquiring)
    }
}
