import Bus
import HangGuard
import Messaging
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Sessions

/// What another hub stored is read once for all sessions of a loop.
@Suite("Channel reads", .timeLimit(.minutes(1)), .guarded) struct ChannelReadTests {
    private static let system = Channel.broadcast("system")

    private func entries(_ seqs: ClosedRange<UInt64>) -> [Entry] {
        seqs.map { Entry(seq: Seq($0), createdAt: Timestamp(milliseconds: 1), draft: draft(Self.system, "e\($0)")) }
    }

    private func following(_ bench: SessionBench, _ names: String..., head: UInt64 = 4) throws -> [SessionID] {
        try names.map { try bench.connect($0, following: [ChannelState(channel: Self.system, head: Seq(head))]) }
    }

    private func pages(_ bench: SessionBench) -> [StoreOrder] {
        bench.store.take().filter { if case .page = $0.request { true } else { false } }
    }

    private struct UnexpectedOrder: Error {}

    @Test func oneReadServesAllSessions() throws {
        let bench = try SessionBench()
        let clients = try following(bench, "ann", "bob", "cid")
        bench.hear(.storedElsewhere(Self.system, upTo: Seq(6)))
        let orders = pages(bench)
        #expect(orders.count == 1)
        let order = try #require(orders.first)
        guard case .page(Self.system, after: let start, before: nil, limit: _) = order.request else { throw UnexpectedOrder() }
        #expect(start == Seq(4))
        bench.answer(order, .page(entries(5...6), head: Seq(6), more: false))
        bench.turn()
        for client in clients { #expect(bench.clients.seqs(client) == [5, 6]) }
        // They came: nobody reads them again.
        bench.hear(.storedElsewhere(Self.system, upTo: Seq(6)))
        #expect(pages(bench).isEmpty)
    }

    @Test func whatIsStoredDuringAReadIsReadAfterIt() throws {
        let bench = try SessionBench()
        let client = try following(bench, "ann")[0]
        bench.hear(.storedElsewhere(Self.system, upTo: Seq(5)))
        let first = try #require(pages(bench).first)
        bench.hear(.storedElsewhere(Self.system, upTo: Seq(7)))
        #expect(pages(bench).isEmpty, "one read at a time")
        bench.answer(first, .page(entries(5...5), head: Seq(5), more: false))
        let second = try #require(pages(bench).first)
        bench.answer(second, .page(entries(6...7), head: Seq(7), more: false))
        bench.turn()
        #expect(bench.clients.seqs(client) == [5, 6, 7])
    }

    @Test func aGapBeforeAnEntryIsReadOnceForAll() throws {
        let bench = try SessionBench()
        let clients = try following(bench, "ann", "bob")
        bench.hear(.entries(entries(5...5)))
        bench.hear(.entries(entries(7...7)))
        let orders = pages(bench)
        #expect(orders.count == 1)
        bench.answer(try #require(orders.first), .page(entries(6...7), head: Seq(7), more: false))
        bench.turn()
        for client in clients { #expect(bench.clients.seqs(client) == [5, 6, 7]) }
    }

    @Test func aReadThatFailsLeavesItToTheSessions() throws {
        let bench = try SessionBench()
        _ = try following(bench, "ann")
        bench.hear(.storedElsewhere(Self.system, upTo: Seq(5)))
        bench.answer(try #require(pages(bench).first), .failed(.unavailable))
        #expect(bench.sessions.state.metrics.resynchronisations.value == 1)
    }

    @Test func nobodyReadsAChannelThatNobodyFollows() throws {
        let bench = try SessionBench()
        _ = try following(bench, "ann")
        bench.hear(.storedElsewhere(.broadcast("other"), upTo: Seq(5)))
        #expect(pages(bench).isEmpty)
    }

    @Test func aCursorThatAnotherHubMovedIsReadByTheUsersSessions() throws {
        let bench = try SessionBench()
        let clients = try following(bench, "ann", "ann", "bob")
        bench.hear(.movedElsewhere(try user("ann"), Self.system, version: 1))
        let orders = bench.store.take()
        #expect(orders.count == 2)
        var state = ChannelState(channel: Self.system, head: Seq(4), cursor: Cursor(delivered: Seq(4), seen: Seq(4), read: Seq(4)))
        state.cursorVersion = 3
        for order in orders { bench.answer(order, .state(state)) }
        #expect(clients.map { bench.clients.kinds($0).contains("cursor") } == [true, true, false])
    }
}
