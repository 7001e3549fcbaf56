import HangGuard
import Testing

@testable import Reactor

@Suite(.guarded) struct TimerWheelTests {
    private func taken(_ wheel: inout TimerWheel, _ tick: Int64) -> [Int] {
        var expired: [Int] = []
        wheel.advance(to: tick, into: &expired)
        return expired
    }

    private func wheel(_ entries: Int, current: Int64 = 0) -> TimerWheel {
        var wheel = TimerWheel(buckets: 64, current: current)
        wheel.reserve(entries)
        return wheel
    }

    @Test func entriesExpireInTheOrderOfTheirTicksAndEqualOnesInTheOrderOfArming() {
        var wheel = wheel(4)
        wheel.arm(0, due: 9)
        wheel.arm(1, due: 3)
        wheel.arm(2, due: 9)
        wheel.arm(3, due: 5)
        #expect(taken(&wheel, 2) == [])
        #expect(taken(&wheel, 20) == [1, 3, 0, 2])
        #expect(wheel.nextTick() == nil)
    }

    @Test(arguments: [1, 63, 64, 65, 127, 128, 1_000, 100_000] as [Int64])
    func anEntryExpiresAtItsTickAndNotBefore(delay: Int64) {
        for start: Int64 in [0, 1, 63, 64, 1_234_567] {
            var wheel = wheel(1, current: start)
            wheel.arm(0, due: start + delay)
            #expect(taken(&wheel, start + delay - 1) == [])
            #expect(wheel.isArmed(0))
            #expect(taken(&wheel, start + delay) == [0])
            #expect(!wheel.isArmed(0))
        }
    }

    @Test func aLongSleepKeepsTheOrder() {
        var wheel = wheel(3)
        wheel.arm(0, due: 200)
        wheel.arm(1, due: 70)
        wheel.arm(2, due: 6)
        #expect(taken(&wheel, 1_000_000) == [2, 1, 0])
    }

    @Test func anEntryDueInThePastExpiresAtTheNextTick() {
        var wheel = wheel(1, current: 50)
        wheel.arm(0, due: 3)
        #expect(wheel.nextTick() == 51)
        #expect(taken(&wheel, 51) == [0])
    }

    @Test func reArmingMovesAnEntryBothWays() {
        var wheel = wheel(1)
        wheel.arm(0, due: 10)
        wheel.arm(0, due: 30)
        #expect(taken(&wheel, 29) == [])
        wheel.arm(0, due: 500)
        wheel.arm(0, due: 31)
        #expect(taken(&wheel, 31) == [0])
        #expect(taken(&wheel, 1_000) == [])
    }

    @Test func aDisarmedEntryNeverExpires() {
        var wheel = wheel(2)
        wheel.arm(0, due: 10)
        wheel.arm(1, due: 10)
        wheel.disarm(0)
        wheel.disarm(0)
        #expect(taken(&wheel, 100) == [1])
    }

    /// Random arming, pushing on, disarming and advancing, against a plain dictionary.
    @Test(arguments: 0..<20 as Range<UInt64>) func itAgreesWithAPlainModel(seed: UInt64) {
        var random = SplitMix(seed)
        var wheel = wheel(40)
        var model: [Int: Int64] = [:]
        var now: Int64 = 0
        for _ in 0..<2_000 {
            let entry = Int(random.next() % 40)
            switch random.next() % 4 {
            case 0, 1:
                let due = now + 1 + Int64(random.next() % 300)
                wheel.arm(entry, due: due)
                model[entry] = due
            case 2:
                wheel.disarm(entry)
                model[entry] = nil
            default:
                now += Int64(random.next() % (random.next() % 10 == 0 ? 200 : 8))
                let due = model.filter { $0.value <= now }
                #expect(Set(taken(&wheel, now)) == Set(due.keys))
                for key in due.keys { model[key] = nil }
            }
            let next = wheel.nextTick()
            #expect((next == nil) == model.isEmpty)
            if let next, let first = model.values.min() { #expect(next <= first && next > now) }
        }
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
