import Auth
import HangGuard
import Testing

/// Dialogues with the machine: what happens, when, and what it wants done.
@Suite("The key source", .guarded)
struct JWKSSourceTests {
    static let first = keySet(["a"])
    static let second = keySet(["a", "b"])
    static let outage = JWKSSource.FetchFailure.unreachable("refused")

    /// The set counts from now on, as of a fetch that began then.
    static func publish(_ keys: KeySet, _ began: Double) -> JWKSSource.Action { .publish(keys, asOf: .seconds(began)) }

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
            talk.at(0, .fetched(.keys(first, maxAge: nil)), publish(first, 0))
            return talk
        }
    }

    @Test("fetches at once, publishes, and fetches again after the interval")
    func refreshes() {
        var talk = Talk()
        talk.sleeps(until: 0)
        talk.at(0, .tick, .fetch)
        talk.at(0.5, .tick)
        talk.at(1, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 0))
        talk.sleeps(until: 601)
        talk.at(600, .tick)
        talk.at(601, .tick, .fetch)
        talk.at(602, .fetched(.keys(Self.first, maxAge: nil)))
        talk.at(1_202, .tick, .fetch)
        talk.at(1_203, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 1_202))
    }

    @Test(
        "lets max-age shorten the interval down to a minute, and never lengthen it",
        arguments: [(0.0, 60.0), (59, 60), (60, 60), (300, 300), (600, 600), (601, 600), (86_400, 600)])
    func maxAge(given: Double, used: Double) {
        var talk = Talk()
        talk.at(0, .tick, .fetch)
        talk.at(0, .fetched(.keys(Self.first, maxAge: .seconds(given))), Self.publish(Self.first, 0))
        talk.sleeps(until: used)
    }

    @Test("fetches for an unknown key, and publishes the set that has it")
    func unknownKeyFound() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("b"), .fetch)
        talk.at(101, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 100))
        // A loop that had not heard yet is told again, without a fetch.
        talk.at(102, .unknownKey("b"), Self.publish(Self.second, 100))
    }

    @Test("publishes an unchanged set when a token waits for a key, so that the wait ends", arguments: ["x", nil])
    func unknownKeyNotFound(id: String?) {
        var talk = Talk.started()
        talk.at(100, .unknownKey(id), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 100))
    }

    @Test("fetches for unknown keys at most once in five seconds, and answers all requests of that time together")
    func unknownKeyRate() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("x1"), .fetch)
        talk.at(101, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 100))
        for number in 2..<200 { talk.at(102, .unknownKey("x\(number)")) }
        talk.sleeps(until: 105)
        talk.at(104.9, .tick)
        talk.at(105, .tick, .fetch)
        talk.at(106, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 105))
        talk.sleeps(until: 706)
    }

    @Test("finds a key that was made after a forged token had named it, within those five seconds")
    func forgedBeforeGenuine() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("b"), .fetch)
        talk.at(100.1, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 100))
        talk.at(100.2, .unknownKey("b"))
        talk.sleeps(until: 105)
        talk.at(105, .tick, .fetch)
        talk.at(105.1, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 105))
    }

    @Test("counts every fetch towards that rate, including the first")
    func everyFetchCounts() {
        var talk = Talk.started()
        talk.at(1, .unknownKey("b"))
        talk.sleeps(until: 5)
        talk.at(5, .tick, .fetch)
        talk.at(6, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 5))
    }

    @Test("starts no second fetch while one runs, and another one for those who asked meanwhile")
    func oneFetchAtATime() {
        var talk = Talk()
        talk.at(0, .tick, .fetch)
        talk.at(1, .unknownKey("b"))
        talk.at(40, .unknownKey("c"))
        talk.at(700, .tick)
        talk.at(701, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 0))
        talk.at(702, .tick, .fetch)
        // Unchanged, and told all the same: those who asked while the first fetch ran are answered by this one.
        talk.at(703, .fetched(.keys(Self.second, maxAge: nil)), Self.publish(Self.second, 702))
        talk.sleeps(until: 1_303)
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
        talk.at(6, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 6), .alert(.recovered))
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
        talk.at(1_000, .tick, .failClosed, .alert(.failedClosed(age: .seconds(1_000))))
        talk.sleeps(until: 10_600)
        talk.at(10_600, .tick, .fetch)
        talk.at(10_601, .fetched(.failed(Self.outage)))
        talk.at(20_601, .tick, .fetch)
        talk.at(20_602, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 20_601), .alert(.recovered))
    }

    @Test("drops old keys even while a fetch hangs")
    func failsClosedWhileFetching() {
        var talk = Talk.started { $0.maximumStaleness = .seconds(1_000) }
        talk.at(600, .tick, .alert(.stale(age: .seconds(600))), .fetch)
        talk.sleeps(until: 1_000)
        talk.at(1_001, .tick, .failClosed, .alert(.failedClosed(age: .seconds(1_001))))
    }

    @Test("treats a document without usable keys as a failure")
    func unusableDocument() {
        var talk = Talk.started()
        talk.at(600, .tick, .fetch)
        let failure = JWKSSource.FetchFailure.unusable(.noUsableKey([]))
        talk.at(601, .fetched(.failed(failure)), .alert(.refreshFailing(failure)))
        talk.sleeps(until: 602)
    }

    @Test("fetches again after a failed fetch, and then answers those who asked before it")
    func failureKeepsQuestions() {
        var talk = Talk.started()
        talk.at(100, .unknownKey("b"), .fetch)
        talk.at(101, .fetched(.failed(Self.outage)), .alert(.refreshFailing(Self.outage)))
        talk.at(102, .tick, .fetch)
        talk.at(104, .fetched(.keys(Self.first, maxAge: nil)), Self.publish(Self.first, 102), .alert(.recovered))
    }
}
