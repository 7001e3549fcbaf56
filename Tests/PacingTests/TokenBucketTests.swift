import HangGuard
import Pacing
import Testing

@Suite(.guarded) struct TokenBucketTests {
    private let pace = Pace(perSecond: 10, burst: 5)
    private func at(_ milliseconds: Int64) -> Int64 { milliseconds * 1_000_000 }

    @Test func `A full bucket gives its burst and then says how long the next token takes`() {
        var bucket = TokenBucket()
        for _ in 0..<5 { #expect(bucket.take(1, pace, at: at(1_000)) == nil) }
        #expect(bucket.take(1, pace, at: at(1_000)) == .milliseconds(100))
        #expect(bucket.take(3, pace, at: at(1_000)) == .milliseconds(300))
        #expect(bucket.take(1, pace, at: at(1_099)) == .milliseconds(1))
        #expect(bucket.take(1, pace, at: at(1_100)) == nil)
        #expect(bucket.take(1, pace, at: at(1_100)) == .milliseconds(100))
    }

    @Test func `A refused request takes nothing`() {
        var bucket = TokenBucket()
        #expect(bucket.take(4, pace, at: 0) == nil)
        for _ in 0..<100 { #expect(bucket.take(2, pace, at: 0) == .milliseconds(100)) }
        #expect(bucket.take(1, pace, at: 0) == nil)
    }

    @Test func `No more than the burst gathers, however long nothing is taken`() {
        var bucket = TokenBucket()
        #expect(bucket.take(1, pace, at: 0) == nil)
        for _ in 0..<5 { #expect(bucket.take(1, pace, at: at(1_000_000)) == nil) }
        #expect(bucket.take(1, pace, at: at(1_000_000)) != nil)
    }

    @Test func `In the long run so many are granted as come back`() {
        var bucket = TokenBucket()
        var granted = 0
        for millisecond in 0..<10_000 where bucket.take(1, pace, at: at(Int64(millisecond))) == nil { granted += 1 }
        #expect(granted == 5 + 99)
    }

    @Test func `A request larger than the burst is granted by a full bucket alone`() {
        var bucket = TokenBucket()
        #expect(bucket.take(50, pace, at: 0) == nil)
        #expect(bucket.take(50, pace, at: at(499)) == .milliseconds(1))
        #expect(bucket.take(50, pace, at: at(500)) == nil)
    }

    @Test func `A charge may exceed what is there, by one burst at most`() {
        var bucket = TokenBucket()
        bucket.charge(7, pace, at: 0)
        #expect(bucket.wait(1, pace, at: 0) == .milliseconds(300))
        bucket.charge(1_000, pace, at: 0)
        #expect(bucket.wait(1, pace, at: 0) == .milliseconds(600))
        #expect(bucket.take(1, pace, at: at(600)) == nil)
    }

    @Test func `What is given back can be taken again`() {
        var bucket = TokenBucket()
        bucket.giveBack(1, pace)
        #expect(bucket.take(5, pace, at: 0) == nil)
        bucket.giveBack(2, pace)
        #expect(bucket.take(2, pace, at: 0) == nil)
        #expect(bucket.take(1, pace, at: 0) == .milliseconds(100))
    }

    @Test func `A pace of 0 has no bound`() {
        var bucket = TokenBucket()
        bucket.charge(.max, .unbounded, at: 0)
        for _ in 0..<1_000 { #expect(bucket.take(.max, .unbounded, at: 0) == nil) }
        #expect(bucket == TokenBucket())
    }

    @Test func `The largest numbers do not overflow`() {
        var bucket = TokenBucket()
        let slow = Pace(perSecond: 1, burst: .max)
        bucket.charge(.max, slow, at: at(5_000_000_000))
        #expect(bucket.take(.max, slow, at: at(5_000_000_000)) != nil)
    }
}
