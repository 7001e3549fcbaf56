package import Linux

/// A clock that a test moves by hand, with the timers that a machine has started.
package struct MockClock<Timer: Hashable> {
    package private(set) var now = MonotonicInstant(nanoseconds: 0)
    private var due: [Timer: MonotonicInstant] = [:]

    package init() {}

    package var running: Set<Timer> { Set(due.keys) }

    package mutating func start(_ timer: Timer, after delay: Duration) { due[timer] = now + delay }
    package mutating func cancel(_ timer: Timer) { due[timer] = nil }

    /// Moves on without firing any timer.
    package mutating func pass(_ duration: Duration) { now = now + duration }

    /// Moves on to the timer that is due next, and removes it. nil: none is running.
    package mutating func next() -> Timer? {
        guard let (timer, moment) = due.min(by: { $0.value < $1.value }) else { return nil }
        now = max(now, moment)
        due[timer] = nil
        return timer
    }
}
