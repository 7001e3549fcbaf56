import Linux
import Synchronization

/// What other threads may do with a loop.
public final class LoopHandle: Sendable {
    private let descriptor: WakeDescriptor
    private let isWoken = Atomic<Bool>(false)
    private let stopped = Atomic<Bool>(false)
    /// The loop stamps it in each of its turns.
    public let heartbeat = Heartbeat(at: .now)

    init(_ descriptor: WakeDescriptor) { self.descriptor = descriptor }

    /// Makes the loop turn once more. Calls before the loop has noticed cost one atomic exchange and no system call.
    public func wake() {
        if !isWoken.exchange(true, ordering: .acquiringAndReleasing) { descriptor.signal() }
    }

    /// Ends `run` after the current turn.
    public func stop() {
        stopped.store(true, ordering: .releasing)
        wake()
    }

    var isStopped: Bool { stopped.load(ordering: .acquiring) }

    /// From here on a `wake` signals again. Called before the mailboxes are read, so that a later post is not missed.
    func rearm() { _ = isWoken.exchange(false, ordering: .acquiringAndReleasing) }
}
