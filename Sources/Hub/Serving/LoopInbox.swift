import Auth
import Messaging
import Reactor
import Synchronization

/// How other threads reach a loop's sessions: two bounded mailboxes.
///
/// Bus events may be more than the loop can take: then they are dropped, noted, and the loop reads the entries from the
/// store. Store outcomes are never more than the orders the loop has open, which is what their mailbox holds.
final class LoopInbox: BusListener, StoreClient {
    enum Message: Sendable {
        case bus([BusEvent])
        case keys(KeySet)
        case control(Control)
    }

    enum Control: Sendable {
        /// Says goodbye to every session, spread over this time, and takes no more connections.
        case drain(spread: Duration)
        case stop
    }

    let mailbox: Mailbox<Message>
    let outcomes: Mailbox<StoreOutcome>
    private let hasMissed = Atomic<Bool>(false)
    private let wake: LoopHandle

    init(loop: LoopHandle, events: Int, orders: Int) {
        mailbox = Mailbox(capacity: events, wakes: loop)
        outcomes = Mailbox(capacity: orders, wakes: loop)
        wake = loop
    }

    func hear(_ events: [BusEvent]) {
        if !mailbox.post(.bus(events)) {
            hasMissed.store(true, ordering: .releasing)
            wake.wake()
        }
    }

    func deliver(_ batch: [StoreOutcome]) {
        if !outcomes.post(contentsOf: batch) {
            assertionFailure("more outcomes than orders")
            hasMissed.store(true, ordering: .releasing)
        }
    }

    /// Whether events were dropped since last asked.
    func takeMissed() -> Bool {
        hasMissed.load(ordering: .relaxed) && hasMissed.exchange(false, ordering: .acquiring)
    }
}
