import Linux
import Synchronization

/// A thread that is started after its owner was made, and joined once.
final class ThreadBox: Sendable {
    private let thread = Mutex<Thread?>(nil)
    func set(_ new: Thread) { thread.withLock { $0 = new } }
    func join() {
        let taken = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        taken?.join()
    }
}
