import Bus
import BusEngines
import HangGuard
import Linux
import Testing

@Suite("Whether the bus is heard", .guarded)
struct EchoWatchTests {
    private let start = MonotonicInstant.now

    @Test("each lane has its turn")
    func lanes() {
        var watch = EchoWatch(at: start)
        let lanes = (0..<32).map { number in
            let lane = watch.lane
            watch.sent(EchoWatch.Ping(lane: lane, number: UInt64(number)), lanes: 16, at: start)
            return lane
        }
        #expect(lanes == Array(0..<16) + Array(0..<16))
    }

    @Test("the time of a ping is told when it comes back, and once")
    func lag() {
        var watch = EchoWatch(at: start)
        let ping = EchoWatch.Ping(lane: 0, number: 4)
        #expect(!watch.isHeard(at: start))
        watch.sent(ping, lanes: 16, at: start)
        #expect(watch.came(ping, at: start + .milliseconds(3)) == .milliseconds(3))
        #expect(watch.came(ping, at: start + .milliseconds(4)) == nil)
        #expect(watch.isHeard(at: start + .seconds(60)))
    }

    @Test("one lane that is not carried is silence, though the others are heard")
    func silence() {
        var watch = EchoWatch(at: start)
        let first = EchoWatch.Ping(lane: 2, number: 1)
        watch.sent(first, lanes: 16, at: start)
        #expect(watch.pause == EchoWatch.firstInterval)
        _ = watch.came(first, at: start)
        #expect(watch.pause == EchoWatch.interval)
        let settled = start + EchoWatch.settling + .milliseconds(1)
        watch.sent(EchoWatch.Ping(lane: 0, number: 1), lanes: 16, at: settled)
        for second in 1..<8 {
            let ping = EchoWatch.Ping(lane: 1, number: UInt64(second))
            watch.sent(ping, lanes: 16, at: settled + .seconds(second))
            _ = watch.came(ping, at: settled + .seconds(second))
        }
        #expect(!watch.isSilent(at: settled + EchoWatch.patience))
        #expect(watch.isSilent(at: settled + EchoWatch.patience + .milliseconds(1)))
        #expect(!watch.isHeard(at: settled + .seconds(7)))
        watch.restart(at: settled + .seconds(7))
        #expect(!watch.isSilent(at: settled + .seconds(8)) && !watch.isHeard(at: settled + .seconds(8)))
    }

    @Test("nothing that comes back at all is silence, and what was lost at the start is not")
    func beginning() {
        var watch = EchoWatch(at: start)
        for number in 1...20 { watch.sent(EchoWatch.Ping(lane: 0, number: UInt64(number)), lanes: 16, at: start) }
        #expect(!watch.isSilent(at: start + EchoWatch.patience))
        #expect(watch.isSilent(at: start + EchoWatch.patience + .milliseconds(1)))
        _ = watch.came(EchoWatch.Ping(lane: 0, number: 20), at: start + .seconds(5))
        #expect(!watch.isSilent(at: start + .seconds(60)))
        #expect(watch.isHeard(at: start + .seconds(60)))
    }

    @Test("a gap in a sender's lane is told once")
    func numbers() {
        var numbers = LaneNumbers()
        func packet(_ number: UInt64, _ lane: Int = 0, _ sender: UInt64 = 1) -> BusPacket {
            BusPacket(sender: sender, epoch: 1, lane: lane, number: number, message: [1])
        }
        // Whoever comes in the middle misses nothing.
        #expect(numbers.came(packet(7)) == 0)
        #expect(numbers.came(packet(8)) == 0)
        #expect(numbers.came(packet(11)) == 2)
        // Late, repeated, of another lane, of another sender.
        #expect(numbers.came(packet(9)) == 0)
        #expect(numbers.came(packet(11)) == 0)
        #expect(numbers.came(packet(90, 1)) == 0)
        #expect(numbers.came(packet(90, 0, 2)) == 0)
        #expect(numbers.came(packet(12)) == 0)
        numbers.restart()
        #expect(numbers.came(packet(50)) == 0)
    }
}
