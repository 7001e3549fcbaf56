import Linux
import Synchronization

/// A bounded queue from many threads to one loop.
///
/// One short lock for a post and one for a drain, each of a whole batch: a loop posts once per turn, so no lock is taken per frame,
/// and no callback runs under it. An empty mailbox costs the loop one atomic load per turn.
/// A full mailbox refuses the post, and the poster decides what to do.
public final class Mailbox<Message: Sendable>: Sendable {
    public let capacity: Int
    let loop: LoopHandle
    private let messages = Locked<[Message]>([])
    private let isFilled = Atomic<Bool>(false)

    public init(capacity: Int, wakes loop: LoopHandle) {
        self.capacity = capacity
        self.loop = loop
    }

    /// Returns false and takes nothing when it is full.
    public func post(_ message: Message) -> Bool {
        let posted = messages.withLock { messages in
            guard messages.count < capacity else { return false }
            messages.append(message)
            return true
        }
        if posted { announce() }
        return posted
    }

    /// Posts all messages, or none when they do not fit.
    public func post(contentsOf batch: [Message]) -> Bool {
        if batch.isEmpty { return true }
        let posted = messages.withLock { messages in
            guard batch.count <= capacity - messages.count else { return false }
            messages.append(contentsOf: batch)
            return true
        }
        if posted { announce() }
        return posted
    }

    public var count: Int { messages.withLock { $0.count } }

    private func announce() {
        if !isFilled.exchange(true, ordering: .acquiringAndReleasing) { loop.wake() }
    }

    /// Swaps the waiting messages with an empty array, whose storage is used for the next messages.
    func drain(into batch: inout [Message]) {
        guard isFilled.load(ordering: .acquiring) else { return }
        // Cleared before the exchange: a post after it sets it again, and wakes the loop again.
        _ = isFilled.exchange(false, ordering: .acquiringAndReleasing)
        var emptied: [Message] = []
        swap(&emptied, &batch)
        batch = messages.withLock { messages in
            let taken = messages
            messages = emptied
            return taken
        }
    }
}
