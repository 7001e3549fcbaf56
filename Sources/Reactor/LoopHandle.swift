import Linux
import Synchronization

/// What other threads may do with a loop.
public final class LoopHandle: Sendable {
    private let descriptor: WakeDescriptor
    private let isWakePending = Atomic<Bool>(false)
    private let stopped = Atomic<Bool>(false)

    init(_ descriptor: WakeDescriptor) { self.descriptor = descriptor }

    /// Makes the loop turn once more. Calls before the loop has noticed cost one atomic exchange and no system call.
    public func wake() {
        if !isWakePending.exchange(true, ordering: .acquiringAndReleasing) { descriptor.signal() }
    }

    /// Ends `run` after the current turn.
    public func stop() {
        stopped.store(true, ordering: .releasing)
        wake()
    }

    var isStopped: Bool { stopped.load(ordering: .acquiring) }

    /// The loop noticed: what is posted from now on needs another signal. Before the mailboxes are drained, so none is missed.
    func wasWoken() {
        descriptor.clear()
        isWakePending.store(false, ordering: .sequentiallyConsistent)
    }
}
