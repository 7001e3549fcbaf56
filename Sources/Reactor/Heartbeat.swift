public import Linux
import Synchronization

/// When a thread last showed that it runs. One thread stamps, any thread asks.
public final class Heartbeat: Sendable {
    /// A loop stamps at least this often, also when nothing happens.
    static let interval: Duration = .seconds(1)

    private let last: Atomic<Int64>

    public init(at now: MonotonicInstant) { last = Atomic(now.nanoseconds) }

    public func stamp(_ now: MonotonicInstant) { last.store(now.nanoseconds, ordering: .relaxed) }

    public func silence(at now: MonotonicInstant) -> Duration {
        max(.zero, now - MonotonicInstant(nanoseconds: last.load(ordering: .relaxed)))
    }
}
