import HangGuard
import Linux
import Messaging
import Telemetry
import TestKit
import Testing

@testable import Store

/// Acks of plain rows go a short way, one statement; everything else goes the way of any move, and comes to the same end.
@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreAckTests {
    private let ann: UserID
    private let channel: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        channel = .inbox(ann)
    }

    private func store(_ id: String, _ change: (inout EntryDraft) -> Void = { _ in }) async {
        var draft = draft(channel, id)
        change(&draft)
        #expect(await bench.ask(.ingest([draft], [])).stored?.count == 1)
    }

    /// What an ack answers, and how many transactions it took.
    private func ack(_ seq: UInt64) async throws -> (state: ChannelState, transactions: UInt64) {
        let before = bench.store.statistics.transactions.value
        let state = try #require(await bench.ask(.move(ann, channel, .delivered(Seq(seq)), session: "s")).moved)
        return (state, bench.store.statistics.transactions.value - before)
    }

    @Test func onlyTheFirstAckCreatesTheCursorRow() async throws {
        for n in 1...4 { await store("\(n)") }
        let first = try await ack(1)
        #expect(first.transactions == 2)
        let second = try await ack(2)
        #expect(second.transactions == 1)
        #expect(second.state.cursor == Cursor(delivered: Seq(2)) && second.state.cursorVersion == 2)
        #expect(second.state.counters == Counters(unread: 4, unseen: 4) && second.state.head == Seq(4))
    }

    @Test func ofTheAcksOfOneBatchTheHighestCounts() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let channel = Channel.inbox(ann)
        for id in ["1", "2", "3"] { _ = await bench.ask(.ingest([draft(channel, id)], [])) }
        // Only the first ack creates the cursor's row; the short statement takes those that follow.
        _ = await bench.ask(.move(ann, channel, .delivered(Seq(1)), session: "s"))
        let replies = await bench.ask([3, 2].map { .move(ann, channel, .delivered(Seq($0)), session: "s") })
        #expect(replies.map { $0.moved?.cursor.delivered } == [Seq(3), Seq(3)])
        #expect(try bench.cell("select delivered from hub.cursor") == "3")
    }

    @Test func entriesSinceTheLastAckAreCounted() async throws {
        await store("1")
        _ = try await ack(1)
        for n in 2...6 { await store("\(n)") }
        let (state, transactions) = try await ack(5)
        #expect(transactions == 1)
        #expect(state.counters == Counters(unread: 6, unseen: 6) && state.cursor.delivered == Seq(5))
        #expect(await bench.ask(.state(ann, channel, entitled: true)).state == state)
    }

    @Test(arguments: ["urgent", "own", "expiring", "expired", "notice", "nothing new"])
    func unusualAcksTakeTheGeneralStatements(_ kind: String) async throws {
        await store("1")
        _ = try await ack(1)
        let now = WallClock.now()
        if kind != "nothing new" {
            let ann = ann
            await store("2") { draft in
                switch kind {
                case "urgent": draft.priority = .high
                case "own": draft.sender = ann
                case "expiring": draft.expiresAt = Timestamp(milliseconds: now + 3_600_000)
                case "expired": draft.expiresAt = Timestamp(milliseconds: now - 1_000)
                default: draft.receiptRequired = true
                }
            }
        }
        let (state, transactions) = try await ack(2)
        #expect(transactions == 2)
        let unread: UInt32 = ["own", "expired", "nothing new"].contains(kind) ? 1 : 2
        #expect(state.counters == Counters(unread: unread, unseen: unread, urgent: kind == "urgent" ? 1 : 0))
        #expect(try bench.query("select seq, session from hub.receipt") == (kind == "notice" ? [["2", "s"]] : []))
        await store("3")
        #expect(try await ack(3).transactions == 1, "what was counted once does not stand in the way")
    }

    @Test func aMissingNumberIsNotCounted() async throws {
        await store("1")
        _ = try await ack(1)
        for n in 2...5 { await store("\(n)") }
        _ = try bench.query("delete from hub.entry where seq <= 3")
        let (state, transactions) = try await ack(5)
        #expect(transactions == 2)
        #expect(state.cursor.delivered == Seq(5))
    }

    @Test func acksThatTheShortStatementSkipsAreAnsweredToo() async throws {
        let bob = try user("bob")
        await store("1")
        await store("2")
        #expect(await bench.ask(.ingest([draft(.inbox(bob), "1")], [])).stored?.count == 1)
        _ = try await ack(1)
        bench.bus.forget()
        let replies = await bench.ask([
            .move(bob, .inbox(bob), .delivered(Seq(1)), session: "b"), .move(ann, channel, .delivered(Seq(2)), session: "a"),
            .move(bob, .inbox(bob), .delivered(Seq(9)), session: "b"), .move(ann, .broadcast("nowhere"), .delivered(Seq(1)), session: "a"),
        ])
        #expect(replies.map { $0.moved?.cursor.delivered } == [Seq(1), Seq(2), Seq(1), .zero])
        #expect(replies.map(\.changed) == [true, true, true, false])
        #expect(bench.bus.events.count == 2)
    }
}
