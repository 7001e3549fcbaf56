import Bus
import HangGuard
import Messaging
import TestKit
import Testing

@Suite("The contract of the bus", .guarded)
struct BusContractTests {
    static let channel = Channel.broadcast("system")

    private func entry(_ seq: UInt64) -> Entry {
        Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(Self.channel, "e\(seq)"))
    }

    // MARK: In memory

    @Test("the bus in memory delivers each event to each subscriber once and in order")
    func memory() throws {
        let bus = MemoryBus()
        let (first, second) = (Follower(Self.channel), Follower(Self.channel))
        bus.subscribe(first)
        bus.subscribe(first)
        bus.publish(committed: [.entries([entry(1)]), .entries([entry(2), entry(3)])])
        bus.subscribe(second)
        bus.publish(signals: [.typing(Self.channel, try user("ann"))])
        bus.unsubscribe(first)
        bus.publish(committed: [.entries([entry(4)])])
        bus.publish(committed: [])
        bus.unsubscribe(second)
        bus.publish(committed: [.entries([entry(5)])])
        #expect(first.told == [1, 2, 3] && first.batches == 2 && first.signals == 1)
        #expect(second.batches == 2 && second.signals == 1)
        #expect(bus.health == .up)
    }

    // MARK: What repairs what

    @Test("a later entry of a channel reveals a lost entry")
    func laterEntry() {
        let follower = Follower(Self.channel)
        follower.hear([.entries([entry(1)])])
        follower.hear([.entries([entry(3)])])
        #expect(follower.told == [1])
        follower.read([entry(1), entry(2), entry(3)])
        #expect(follower.told == [1, 2, 3])
    }

    @Test("an unreported loss of a channel's last entry is repaired when another entry follows")
    func lastEntry() {
        let follower = Follower(Self.channel)
        follower.hear([.entries([entry(1)])])
        follower.read([entry(1), entry(2)])
        #expect(follower.told == [1])
    }

    @Test("a reported loss repairs the loss of a channel's last entry")
    func reportedLoss() {
        let follower = Follower(Self.channel)
        follower.hear([.entries([entry(1)])])
        follower.missedEvents()
        follower.read([entry(1), entry(2)])
        #expect(follower.told == [1, 2])
    }

    @Test("a repeated or late entry is delivered once")
    func repeated() {
        let follower = Follower(Self.channel)
        let log = [entry(1), entry(2)]
        follower.hear([.entries([entry(2)])])
        follower.read(log)
        for entry in [1, 2, 1] { follower.hear([.entries([log[entry - 1]])]) }
        follower.read(log)
        #expect(follower.told == [1, 2])
    }

    // MARK: Lossy

    @Test("the lossy bus loses, repeats and reorders events, and is degraded until the loss is reported")
    func lossy() {
        let bus = LossyBus(seed: 7)
        let follower = Follower(Self.channel)
        bus.subscribe(follower)
        #expect(bus.health == .up)
        for seq in 1...200 as ClosedRange<UInt64> { bus.publish(committed: [.entries([entry(seq)])]) }
        while bus.deliver() {}
        #expect(bus.lost > 20 && bus.repeated > 20 && bus.reordered > 20)
        #expect(bus.health == .degraded(reason: "lost \(bus.lost) on purpose"))
        bus.reportLosses()
        bus.reportLosses()
        #expect(follower.losses == 1 && bus.health == .up)
        bus.unsubscribe(follower)
        bus.publish(committed: [.entries([entry(201)])])
        #expect(!bus.deliver())
    }

    @Test("a random run over the lossy bus ends in the same state as over the bus in memory", arguments: 0..<200 as Range<UInt64>)
    func sameEnd(seed: UInt64) {
        let memory = MemoryBus()
        let lossy = LossyBus(seed: seed &+ 1_000)
        let direct = Follower(Self.channel)
        let followers = (0..<4).map { _ in Follower(Self.channel) }
        memory.subscribe(direct)
        for follower in followers { lossy.subscribe(follower) }

        var random = SeededRandom(seed: seed)
        var log: [Entry] = []
        for _ in 0..<100 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                let fresh = (0..<UInt64.random(in: 1...4, using: &random)).map { entry(UInt64(log.count) + 1 + $0) }
                log += fresh
                memory.publish(committed: [.entries(fresh)])
                lossy.publish(committed: [.entries(fresh)])
            case 2 where random.chance(5): lossy.reportLosses()
            case 3: random.pick(followers).read(log)
            default: lossy.deliver()
            }
        }
        while lossy.deliver() {}
        lossy.reportLosses()
        for follower in followers { follower.read(log) }

        #expect(direct.told == log.map(\.seq.rawValue) && direct.unread == UInt32(log.count))
        for follower in followers { #expect(follower.told == direct.told && follower.unread == direct.unread) }
    }
}
