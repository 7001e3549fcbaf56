/// How many tokens come back in a second, and how many may be taken at once.
package struct Pace: Equatable, Sendable {
    package let perSecond: Int
    package let burst: Int

    /// - Parameter perSecond: 0: no bound.
    package init(perSecond: Int, burst: Int) {
        self.perSecond = perSecond
        self.burst = burst
    }

    package static let unbounded = Pace(perSecond: 0, burst: 0)
    package var isBounded: Bool { perSecond > 0 }

    /// The time in which so many tokens come back, in nanoseconds. Clamped to eleven days, so that sums cannot overflow.
    fileprivate func nanoseconds(_ tokens: Int) -> Int64 {
        Int64(min(Double(max(0, tokens)) * 1e9 / Double(max(1, perSecond)), 1e15))
    }
}

/// Bounds how often something is done: each time takes a token, and tokens come back at a pace. One number is its whole state: the moment
/// at which it is full again (the generic cell rate algorithm of ITU-T I.371).
package struct TokenBucket: Equatable, Sendable {
    /// In nanoseconds of the caller's clock.
    private var fullAt = Int64.min

    package init() {}

    /// Takes the tokens. When there are not so many it takes none, and returns the time until there are.
    /// - Parameters:
    ///   - tokens: more than `burst` are granted by a full bucket.
    ///   - now: nanoseconds of a clock that only goes forward.
    package mutating func take(_ tokens: Int = 1, _ pace: Pace, at now: Int64) -> Duration? {
        guard pace.isBounded else { return nil }
        if let wait = wait(tokens, pace, at: now) { return wait }
        let cost = min(pace.nanoseconds(tokens), pace.nanoseconds(pace.burst))
        fullAt = max(fullAt, now) + cost
        return nil
    }

    /// The time until there are so many tokens; nil: they are there.
    package func wait(_ tokens: Int = 1, _ pace: Pace, at now: Int64) -> Duration? {
        guard pace.isBounded else { return nil }
        let most = pace.nanoseconds(pace.burst)
        let missing = max(fullAt, now) - now + min(pace.nanoseconds(tokens), most) - most
        return missing > 0 ? .nanoseconds(missing) : nil
    }

    /// Takes tokens also when there are not so many: for a cost that is known only afterwards. The debt is at most one burst.
    package mutating func charge(_ tokens: Int, _ pace: Pace, at now: Int64) {
        guard pace.isBounded else { return }
        fullAt = min(max(fullAt, now) + pace.nanoseconds(tokens), now + 2 * pace.nanoseconds(pace.burst))
    }

    /// Returns tokens that were taken for something that was not done.
    package mutating func giveBack(_ tokens: Int = 1, _ pace: Pace) {
        guard pace.isBounded, fullAt > .min else { return }
        fullAt -= pace.nanoseconds(tokens)
    }
}
