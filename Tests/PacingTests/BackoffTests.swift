import HangGuard
import Pacing
import Testing

@Suite(.guarded) struct BackoffTests {
    private let seconds = [1, 2, 4, 8, 16, 30, 30].map { Duration.seconds($0) }

    private func delays(_ jitter: Backoff.Jitter, random: UInt64) -> [Duration] {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(30), jitter: jitter)
        return (0..<7).map { _ in backoff.next(random: random) }
    }

    @Test func `Delays double from the first to the longest`() {
        #expect(delays(.none, random: 0) == seconds)
        #expect(delays(.none, random: .max) == seconds)
    }

    @Test func `Jitter spreads a delay over its upper half, or over the whole`() {
        #expect(delays(.upperHalf, random: 0) == seconds.map { $0 / 2 })
        #expect(delays(.full, random: 0) == seconds.map { $0 * 0 })
        for jitter in [Backoff.Jitter.upperHalf, .full] {
            for (delay, ceiling) in zip(delays(jitter, random: .max), seconds) { #expect(delay > ceiling * 0.99 && delay <= ceiling) }
        }
    }

    @Test func `A success starts over`() {
        var backoff = Backoff(first: .milliseconds(50), longest: .seconds(3), jitter: .none)
        for _ in 0..<100 { backoff.failed() }
        #expect(backoff.failures == 100)
        #expect(backoff.ceiling == .seconds(3))
        backoff.succeeded()
        #expect(backoff.failures == 0)
        #expect(backoff.next() == .milliseconds(50))
    }

    @Test func `Doubling neither overflows nor exceeds the longest delay, even if the first one does`() {
        var backoff = Backoff(first: .nanoseconds(1), longest: .seconds(1_000_000), jitter: .none)
        for _ in 0..<1_000 { backoff.failed() }
        #expect(backoff.ceiling == .nanoseconds(65_536))
        #expect(Backoff(first: .seconds(5), longest: .seconds(2), jitter: .none).ceiling == .seconds(2))
    }
}
