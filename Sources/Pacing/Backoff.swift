/// Pauses between attempts: doubling from 50 ms to a maximum, each spread over its upper half so that many hubs do not
/// come back in step.
package struct Backoff: Equatable {
    package let longest: Duration
    private var attempts = 0

    package init(longest: Duration) { self.longest = longest }

    /// - Parameter random: any 64 random bits.
    package mutating func next(random: UInt64) -> Duration {
        let full = min(Duration.milliseconds(50) * (1 << min(attempts, 16)), longest)
        attempts += 1
        return full / 2 + full / 2 * (Double(random >> 11) / Double(1 << 53))
    }

    package mutating func succeeded() { attempts = 0 }
}
