import HangGuard
import Linux
import Messaging
import TestKit
import Testing

@testable import Sessions

@Suite("Fan-out of entries to subscribers", .guarded)
struct FanOutTests {
    private let system = Channel.broadcast("system")

    @Test("a burst is pushed until the client is congested; the rest is read from the store later")
    func longBurst() throws {
        let clients = Clients()
        clients.mostTexts = 3
        var fanOut = FanOut()
        let table = SessionTable(loop: 0)
        let key = table.add(Session(id: "s"), route: clients.route(to: SessionID(slot: 0, generation: 0)), now: .now).id
        let (roster, slot) = fanOut.join(system, Subscriber(session: key, user: 0))
        let subscription = Session.Subscription(channel: system, roster: UInt32(roster), slot: UInt32(slot), registration: 1)
        _ = fanOut.update(subscription) { $0.open(ChannelState(channel: system), since: nil) }
        let frame = SharedFrame { $0 = [UInt8](repeating: 0x20, count: FanOut.trustedBytes) }
        let items = (1...9).map { FanOut.Item(seq: Seq($0), author: 1, weight: .normal, frame: frame) }
        let isQueued = fanOut.enqueue(system, items)
        #expect(isQueued)
        let outcome = fanOut.runSlice(table, [clients], at: .now)
        #expect(clients.texts(key).count == 3)
        #expect(outcome.behind.map(\.session) == [key])
        #expect(fanOut.subscriber(subscription)?.position == Seq(3))
    }

    @Test("a slice ends after a bounded number of deliveries, within an entry and between entries, and the next one goes on there")
    func slices() {
        let clients = Clients()
        var fanOut = FanOut()
        let table = SessionTable(loop: 0)
        for _ in 0..<100 {
            let key = table.add(Session(id: "s"), route: clients.route(to: SessionID(slot: 0, generation: 0)), now: .now).id
            table.setRoute(clients.route(to: key), of: key)
            let (roster, slot) = fanOut.join(system, Subscriber(session: key, user: 0))
            let subscription = Session.Subscription(channel: system, roster: UInt32(roster), slot: UInt32(slot), registration: 1)
            _ = fanOut.update(subscription) { $0.open(ChannelState(channel: system), since: nil) }
        }
        for seq in 1...3 as ClosedRange<UInt64> {
            let isQueued = fanOut.enqueue(
                system, [FanOut.Item(seq: Seq(seq), author: 1, weight: .normal, frame: SharedFrame { $0 = [0x20] })])
            #expect(isQueued)
        }
        var deliveries: [Int] = []
        for _ in 0..<9 where !fanOut.isIdle { deliveries.append(fanOut.runSlice(table, [clients], at: .now).deliveries) }
        #expect(deliveries == [FanOut.sliceDeliveries, FanOut.sliceDeliveries, 300 - 2 * FanOut.sliceDeliveries])
    }

    @Test("each session gets frames of its own encoding, and each encoding is staged once")
    func encodings() {
        let clients = Clients()
        var fanOut = FanOut()
        let table = SessionTable(loop: 0)
        let encodings: [UInt8] = [0, 9, 9, 15, 0, 15, 9]
        let keys = encodings.map { encoding in
            let key = table.add(Session(id: "s"), route: clients.route(to: SessionID(slot: 0, generation: 0)), now: .now).id
            table.setRoute(clients.route(to: key, encoding: encoding), of: key)
            let (roster, slot) = fanOut.join(system, Subscriber(session: key, user: 0))
            let subscription = Session.Subscription(channel: system, roster: UInt32(roster), slot: UInt32(slot), registration: 1)
            _ = fanOut.update(subscription) { $0.open(ChannelState(channel: system), since: nil) }
            return key
        }
        let items = (1...2).map { FanOut.Item(seq: Seq($0), author: 1, weight: .normal, frame: SharedFrame { $0 = [0x20] }) }
        let isQueued = fanOut.enqueue(system, items)
        #expect(isQueued)
        _ = fanOut.runSlice(table, [clients], at: .now)
        #expect(keys.map { clients.encodings[$0] ?? [] } == encodings.map { [$0, $0] })
        #expect(clients.stagedCount == 6)
    }
}
