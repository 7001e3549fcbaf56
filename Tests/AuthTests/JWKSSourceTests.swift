import Auth
import Testing

/// Dialogues with the machine: what happens, when, and what it wants done.
@Suite("The key source")
struct JWKSSourceTests {
    static let first = keySet(["a"])
    static let second = keySet(["a", "b"])
    static let outage = JWKSSource.FetchFailure.unreachable("refused")

    static func keySet(_ ids: [String]) -> KeySet {
        KeySet(keys: ids.compactMap { try? VerificationKey(secret: TokenMint.secret, id: $0) })
    }

    /// A machine and its clock, in seconds.
    struct Talk {
        var source: JWKSSource
        var now: Double = 0

        init(_ change: (inout JWKSSource.Settings) -> Void = { _ in }) {
            var settings = JWKSSource.Settings()
            change(&settings)
            source = JWKSSource(settings: settings, now: .zero)
        }

        /// At `seconds`, `event` leads to exactly these actions.
        mutating func at(
            _ seconds: Double, _ event: JWKSSource.Event, _ expected: JWKSSource.Action...,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            now = seconds
            #expect(source.handle(event, at: .seconds(seconds)) == expected, sourceLocation: sourceLocation)
        }

        /// The machine sleeps until `seconds`.
        func sleeps(until seconds: Double, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(source.nextWake == .seconds(seconds), sourceLocation: sourceLocation)
        }

        /// A machine that has just fetched `first`, at 0.
        static func started(_ change: (inout JWKSSource.Settings) -> Void = { _ in }) -> Talk {
            var talk = Talk(change)
            talk.at(0, .tick, .fetch)
            talk.at(0, .fetched(.keys(first, maxAge: nil)), .publish(first))
            return talk
        }
    }

    @Test("fetches at once, publishes, and fetches again after the interval")
    func refreshes() {
        var talk = Talk()
        talk.sleeps(until: 0)
        talk.at(0, .tick, .fetch)
        talk.at(0.5, .tick)
        talk.at(1, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        talk.sleeps(until: 601)
        talk.at(600, .tick)
        talk.at(601, .tick, .fetch)
        talk.at(602, .fetched(.keys(Self.first, maxAge: nil)))
        talk.at(1_202, .tick, .fetch)
        talk.at(1_203, .fetched(.keys(Self.second, maxAge: nil)), .publish(Self.second))
    }

    @Test("honours max-age within its bounds", arguments: [(0.0, 60.0), (59, 60), (60, 60), (300, 300), (3_600, 3_600), (86_400, 3_600)])
    func maxAge(given: Double, used: Double) {
        var talk = Talk()
        talk.at(0, .tick, .fetch)
        talk.at(0, .fetched(.keys(Self.first, maxAge: .seconds(given))), .publish(Self.first))
        talk.sleeps(until: used)
    }

    @Test("fetches for an unknown key, and publishes the set that has it")
    func unknownKeyFound() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("b"), .fetch)
        talk.at(101, .fetched(.keys(Self.second, maxAge: nil)), .publish(Self.second))
        // A loop that had not heard yet is told again, without a fetch.
        talk.at(102, .unknownKey("b"), .publish(Self.second))
    }

    @Test("publishes an unchanged set when a token waits for a key, so that the wait ends")
    func unknownKeyNotFound() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("x"), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
    }

    @Test("fetches for unknown keys at most once in 30 seconds, and answers all requests of that time together")
    func unknownKeyRate() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("x1"), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        for number in 2..<200 { talk.at(102, .unknownKey("x\(number)")) }
        talk.sleeps(until: 130)
        talk.at(129.9, .tick)
        talk.at(130, .tick, .fetch)
        talk.at(131, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        talk.sleeps(until: 731)
    }

    @Test("counts every fetch towards that rate, including the first")
    func everyFetchCounts() {
        var talk = Talk.started()
        talk.at(10, .unknownKey("b"))
        talk.sleeps(until: 30)
        talk.at(30, .tick, .fetch)
        talk.at(31, .fetched(.keys(Self.second, maxAge: nil)), .publish(Self.second))
    }

    @Test("starts no second fetch while one runs")
    func oneFetchAtATime() {
        var talk = Talk()
        talk.at(0, .tick, .fetch)
        talk.at(1, .unknownKey("b"))
        talk.at(40, .unknownKey("c"))
        talk.at(700, .tick)
        talk.at(701, .fetched(.keys(Self.second, maxAge: nil)), .publish(Self.second))
        talk.sleeps(until: 1_301)
    }

    @Test("does not fetch again for an absent key for a minute")
    func negativeCache() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("x"), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        talk.at(140, .unknownKey("x"), .absent("x"))
        talk.at(160, .unknownKey("x"), .absent("x"))
        talk.sleeps(until: 701)
        talk.at(161, .unknownKey("x"), .fetch)
        talk.at(162, .fetched(.keys(Self.keySet(["x"]), maxAge: nil)), .publish(Self.keySet(["x"])))
    }

    @Test("treats a token without a kid like one with an absent key")
    func noKeyID() {
        var talk = Talk.started()
        talk.at(100, .unknownKey(nil), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        talk.at(140, .unknownKey(nil), .absent(nil))
    }

    @Test("remembers a bounded number of absent keys, and does not fetch for an absurdly long kid")
    func boundedMemory() {
        var talk = Talk.started { $0.absentKeyCapacity = 2 }
        let absurd = String(repeating: "k", count: 257)
        talk.at(50, .unknownKey(absurd), .absent(absurd))
        talk.sleeps(until: 600)
        talk.at(100, .unknownKey("x1"), .fetch)
        talk.at(100, .unknownKey("x2"))
        talk.at(100, .unknownKey("x3"))
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first))
        talk.at(140, .unknownKey("x1"), .absent("x1"))
        talk.at(140, .unknownKey("x2"), .absent("x2"))
        // The third was not remembered; the rate still bounds what it can cause.
        talk.at(140, .unknownKey("x3"), .fetch)
    }

    @Test("keeps the last good set during an outage, and retries with growing pauses")
    func outageBackoff() {
        var talk = Talk.started()
        talk.at(600, .tick, .fetch)
        talk.at(600, .fetched(.failed(Self.outage)), .alert(.refreshFailing(Self.outage)))
        var now = 600.0
        for delay in [1.0, 2, 4, 8, 16, 32, 60, 60, 60] {
            talk.sleeps(until: now + delay)
            now += delay
            talk.at(now, .tick, .fetch)
            talk.at(now, .fetched(.failed(.status(500))))
        }
        now += 60
        talk.at(now, .tick, .fetch)
        talk.at(now, .fetched(.keys(Self.first, maxAge: nil)), .alert(.recovered))
        talk.sleeps(until: now + 600)
    }

    @Test("reports that it never had keys, and becomes available with the first ones")
    func neverAny() {
        var talk = Talk()
        talk.at(0, .tick, .fetch)
        talk.at(2, .fetched(.failed(Self.outage)), .alert(.noKeysYet(Self.outage)))
        talk.at(3, .tick, .fetch)
        talk.at(4, .fetched(.failed(Self.outage)))
        talk.at(6, .tick, .fetch)
        talk.at(6, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first), .alert(.recovered))
    }

    @Test("warns about old keys, then drops them, and recovers with new keys")
    func failsClosed() {
        var talk = Talk.started {
            $0.maximumStaleness = .seconds(1_000)
            $0.firstRetry = .seconds(10_000)
            $0.longestRetry = .seconds(10_000)
        }
        talk.sleeps(until: 500)
        talk.at(499, .tick)
        talk.at(500, .tick, .alert(.stale(age: .seconds(500))))
        talk.at(600, .tick, .fetch)
        talk.at(600, .fetched(.failed(Self.outage)))
        talk.sleeps(until: 1_000)
        talk.at(999.9, .tick)
        talk.at(1_000, .tick, .publish(.empty), .alert(.failedClosed(age: .seconds(1_000))))
        talk.sleeps(until: 10_600)
        talk.at(10_600, .tick, .fetch)
        talk.at(10_601, .fetched(.failed(Self.outage)))
        talk.at(20_601, .tick, .fetch)
        talk.at(20_602, .fetched(.keys(Self.first, maxAge: nil)), .publish(Self.first), .alert(.recovered))
    }

    @Test("drops old keys even while a fetch hangs")
    func failsClosedWhileFetching() {
        var talk = Talk.started { $0.maximumStaleness = .seconds(1_000) }
        talk.at(600, .tick, .alert(.stale(age: .seconds(600))), .fetch)
        talk.sleeps(until: 1_000)
        talk.at(1_001, .tick, .publish(.empty), .alert(.failedClosed(age: .seconds(1_001))))
    }

    @Test("treats a document without usable keys as a failure")
    func unusableDocument() {
        var talk = Talk.started()
        talk.at(600, .tick, .fetch)
        let failure = JWKSSource.FetchFailure.unusable(.noUsableKey([]))
        talk.at(601, .fetched(.failed(failure)), .alert(.refreshFailing(failure)))
        talk.sleeps(until: 602)
    }

    @Test("fetches again for a key after a failed fetch")
    func failureForgetsQuestions() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("b"), .fetch)
        talk.at(101, .fetched(.failed(Self.outage)), .alert(.refreshFailing(Self.outage)))
        talk.at(102, .tick, .fetch)
        talk.at(103, .unknownKey("b"))
        talk.at(104, .fetched(.keys(Self.second, maxAge: nil)), .publish(Self.second), .alert(.recovered))
    }
}
