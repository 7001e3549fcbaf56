import Bus
import Messaging
import Reactor
import StoreAPI
import TestKit
import Testing

@testable import Sessions

/// Events that the loop missed.
extension SessionLoopTests {
    @Test("dropped events are read from the store, also by subscriptions that had not begun or were reading")
    func missedEvents() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        bench.say(
            ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[{"channel":"broadcast:system"}]}"#)
        bench.turn()
        let connect = bench.store.take()
        try #require(connect.count == 1)
        // More batches than the mailbox takes: entry 5 is among those dropped.
        for _ in 0..<64 { bench.inbox.hear([]) }
        bench.inbox.hear([.entries([try entry(5, in: Self.system)])])
        bench.turn()
        bench.answer(connect[0], .snapshot([ChannelState(channel: Self.system, head: Seq(4))], more: false))
        for order in bench.store.take() {
            if case .page = order.request { bench.answer(order, try page(5...5, of: Self.system, head: 5)) }
        }
        #expect(bench.clients.seqs(ann) == [5])
    }

    @Test("a page that the store could not give is asked for again, and its entries are sent")
    func failedPage() async throws {
        let bench = try SessionBench { $0.storeRetry = .zero }
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        func pages() -> [StoreOrder] {
            bench.turn()
            return bench.store.take().filter { if case .page = $0.request { true } else { false } }
        }
        bench.hear(.entries([try entry(6, in: Self.system)]))
        let failed = try #require(pages().first)
        bench.answer(failed, .failed(.unavailable))
        var again: [StoreOrder] = []
        try await until {
            again += pages()
            return !again.isEmpty
        }
        #expect(again.map(\.request) == [failed.request])
        bench.answer(again[0], try page(5...6, of: Self.system, head: 6))
        #expect(bench.clients.seqs(ann) == [5, 6])
    }

    @Test("a right that was withdrawn by an event that was dropped ends the subscription when its state is read again")
    func missedWithdrawal() async throws {
        let bench = try SessionBench { $0.storeRetry = .zero }
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.secret)])
        bench.inbox.missedEvents()
        var asked: [StoreOrder] = []
        try await until {
            bench.turn()
            asked += bench.store.take().filter { if case .state = $0.request { true } else { false } }
            return !asked.isEmpty
        }
        try #require(asked.count == 1)
        #expect(asked[0].request == .state(try user("ann"), Self.secret, entitled: false))
        bench.answer(asked[0], .failed(.forbidden))
        #expect(bench.clients.texts(ann).contains { $0.contains(#""signal":"unsubscribed","channel":"\#(Self.secret.wireName)""#) })
        bench.hear(.entries([try entry(1, in: Self.secret)]))
        bench.turn()
        #expect(bench.clients.seqs(ann).isEmpty)
    }

    @Test("a cursor that moved while events were lost is sent")
    func cursorOfLostEvents() throws {
        let bench = try SessionBench { $0.storeRetry = .zero }
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4), cursorVersion: 1)])
        for _ in 0..<65 { bench.inbox.hear([]) }
        bench.turn()
        var orders: [StoreOrder] = []
        // Waits for the timer that reads on.
        for _ in 0..<20 where orders.isEmpty {
            bench.loop.turn()
            orders = bench.store.take()
        }
        let moved = ChannelState(
            channel: Self.system, head: Seq(4), cursor: Cursor(delivered: Seq(4), seen: Seq(4), read: Seq(4)), cursorVersion: 2)
        for order in orders {
            switch order.request {
            case .page: bench.answer(order, try page(4...4, of: Self.system, head: 4))
            case .state: bench.answer(order, .state(moved))
            default: Issue.record("asked for \(order.request)")
            }
        }
        #expect(bench.clients.texts(ann).count { $0.hasPrefix(#"{"type":"cursor""#) } == 1)
    }
}
