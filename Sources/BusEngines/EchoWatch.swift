package import Linux

/// Finds out whether this hub hears the bus: each ping that it sends must come back to it. A connection that looks well and carries nothing
/// is found in no other way. Pure.
package struct EchoWatch: Sendable {
    package struct Ping: Hashable, Sendable {
        package let lane: Int
        package let number: UInt64
        package init(lane: Int, number: UInt64) {
            self.lane = lane
            self.number = number
        }
    }

    /// Between two pings, until the first has come back.
    package static let firstInterval: Duration = .milliseconds(100)
    package static let interval: Duration = .seconds(2)
    /// Three pings.
    package static let patience: Duration = .seconds(6)
    /// After the first ping that came back, parts of an engine may still be on their way to be heard.
    package static let settling: Duration = .seconds(2)

    private var waiting: [Ping: MonotonicInstant] = [:]
    /// When the connections were made.
    private var start: MonotonicInstant
    /// Of the first ping that came back since then.
    private var firstHeard: MonotonicInstant?

    package init(at now: MonotonicInstant) { start = now }

    /// The lane of the next ping: each lane in turn, because an engine may carry some and not others.
    package private(set) var lane = 0

    package mutating func sent(_ ping: Ping, lanes: Int, at now: MonotonicInstant) {
        waiting[ping] = now
        // Those of the start that were lost are not waited for.
        if let firstHeard, waiting.count > lanes { waiting = waiting.filter { $0.value > firstHeard + Self.settling } }
        lane = (lane + 1) % lanes
    }

    /// - Returns: how long the ping was on its way; nil when it is none that is awaited.
    package mutating func came(_ ping: Ping, at now: MonotonicInstant) -> Duration? {
        guard let sent = waiting.removeValue(forKey: ping) else { return nil }
        firstHeard = firstHeard ?? now
        return now - sent
    }

    /// The connections were made anew: what was on its way may be lost.
    package mutating func restart(at now: MonotonicInstant) {
        waiting.removeAll()
        firstHeard = nil
        start = now
    }

    package var pause: Duration { firstHeard == nil ? Self.firstInterval : Self.interval }

    package func isSilent(at now: MonotonicInstant) -> Bool {
        guard let firstHeard else { return now - start > Self.patience }
        return waiting.values.contains { $0 > firstHeard + Self.settling && now - $0 > Self.patience }
    }

    /// A ping has come back since the connections were made, and none is overdue.
    package func isHeard(at now: MonotonicInstant) -> Bool { firstHeard != nil && !isSilent(at: now) }
}
