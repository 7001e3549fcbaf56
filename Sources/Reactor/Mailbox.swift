import Synchronization

/// A bounded queue from many threads to one loop.
///
/// One short lock for a post and one for a drain, each of a whole batch: a loop posts once per turn, so no lock is taken per frame.
/// Full means full: the poster must decide what happens.
public final class Mailbox<Message: Sendable>: Sendable {
    public let capacity: Int
    private let messages = Mutex<[Message]>([])
    private let loop: LoopHandle

    public init(capacity: Int, wakes loop: LoopHandle) {
        self.capacity = capacity
        self.loop = loop
    }

    /// False, and nothing taken, when full.
    public func post(_ message: Message) -> Bool {
        let posted = messages.withLock { messages in
            guard messages.count < capacity else { return false }
            messages.append(message)
            return true
        }
        if posted { loop.wake() }
        return posted
    }

    /// All or nothing.
    public func post(contentsOf batch: [Message]) -> Bool {
        let posted = messages.withLock { messages in
            guard messages.count + batch.count <= capacity else { return false }
            messages.append(contentsOf: batch)
            return true
        }
        if posted { loop.wake() }
        return posted
    }

    public var count: Int { messages.withLock { $0.count } }

    func takeAll() -> [Message] {
        messages.withLock { messages in
            guard !messages.isEmpty else { return [] }
            var taken: [Message] = []
            swap(&taken, &messages)
            return taken
        }
    }
}
