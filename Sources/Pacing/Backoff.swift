/// Counts attempts that failed in a row and gives the delay before the next one. The delay doubles from `first` to `longest`.
package struct Backoff: Equatable, Sendable {
    /// How much of a delay is random, so that many hubs or clients do not come back in step.
    package enum Jitter: Equatable, Sendable {
        case none
        /// Anything between half of the delay and the whole.
        case upperHalf
        /// Anything up to the delay.
        case full
    }

    package let first: Duration
    package let longest: Duration
    package let jitter: Jitter
    /// Failures since the last success.
    package private(set) var failures = 0

    /// Doubling ends here, so that it cannot overflow. `first` times 65 536 is a bound, too.
    private static let mostDoublings = 16

    package init(first: Duration, longest: Duration, jitter: Jitter) {
        self.first = first
        self.longest = longest
        self.jitter = jitter
    }

    package mutating func failed() { if failures < .max { failures += 1 } }
    package mutating func succeeded() { failures = 0 }

    /// The delay after the failures so far, without jitter. `first` before the first failure and after it.
    package var ceiling: Duration {
        min(first * (1 << min(max(0, failures - 1), Self.mostDoublings)), longest)
    }

    /// The delay after the failures so far.
    /// - Parameter random: any 64 random bits. Without jitter they are not used.
    package func delay(random: UInt64 = 0) -> Duration {
        let fraction = Double(random >> 11) / Double(1 << 53)
        return switch jitter {
        case .none: ceiling
        case .upperHalf: ceiling / 2 + ceiling / 2 * fraction
        case .full: ceiling * fraction
        }
    }

    /// Counts a failure and gives the delay after it.
    package mutating func next(random: UInt64 = 0) -> Duration {
        failed()
        return delay(random: random)
    }
}
