import HangGuard
import Messaging
import Postgres
import TestKit
import Testing

@testable import Store

/// What operators are told of an entry.
@Suite(.timeLimit(.minutes(2)), .guarded) struct EntryInquiryTests {
    private let ann: UserID
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
    }

    private func ask(_ adjust: (inout EntryInquiry.Question) -> Void) throws(EntryInquiry.Failure) -> EntryInquiry.Answer {
        var question = EntryInquiry.Question()
        adjust(&question)
        return try EntryInquiry.ask(bench.address, question, within: .seconds(10))
    }

    private func event(_ channel: Channel, _ id: String, cause: Cause? = nil, collapse: String? = nil, receipt: Bool = false) -> EntryDraft
    {
        EntryDraft(
            channel: channel, source: "rule:r", id: id, kind: .notification, eventType: "t", content: "\"title\":\"x\"",
            collapse: collapse, receiptRequired: receipt, cause: cause,
            record: RecordOrigin(topic: "t.app.review", partition: 3, offset: 77))
    }

    private func cause(_ lsn: Int64) -> Cause {
        Cause(row: "db/app.review/{\"id\":7}", rule: "r", change: ChangePosition(commit: 0, lsn: lsn, time: Timestamp(milliseconds: 0)))
    }

    @Test(arguments: [true, false])
    func theRecordTheRowAndTheRuleAreKept(ofARow: Bool) async throws {
        let cause = ofARow ? cause(1) : nil
        #expect(await bench.ask(.ingest([event(.inbox(ann), "e1", cause: cause)], [])).seqs == [1])
        let answer = try ask { $0.id = "e1" }
        let entry = try #require(answer.entries.first)
        #expect(answer.total == 1)
        #expect((entry.channel, entry.seq, entry.record, entry.source) == ("inbox:ann", 1, "t.app.review/3/77", "rule:r"))
        #expect(entry.cause == cause?.row && entry.rule == cause?.rule)
        #expect(entry.people.map(\.user) == ["ann"] && entry.people[0].movedAt == nil && !entry.people[0].isDelivered)
        #expect(entry.retractedAt == nil)
    }

    @Test func positionsOutOfOrderAndReceiptsAreTold() async throws {
        await ingest([event(.inbox(ann), "e1", receipt: true), event(.inbox(ann), "e2", receipt: true), event(.inbox(ann), "e3")])
        _ = try bench.query(
            """
            insert into hub.cursor (user_id, channel_id, delivered, seen, read, read_set)
            select 'ann', id, 2, 1, 0, '{[2,3)}' from hub.channel where name = 'inbox:ann';
            insert into hub.receipt (channel_id, seq, user_id, session, delivered_at, read_at, read_session)
            select id, 2, 'ann', 's', '2026-11-30T10:00:00Z', '2026-11-30T10:05:00Z', 's' from hub.channel where name = 'inbox:ann'
            """)
        func person(_ seq: UInt64) throws -> FoundEntry.Person {
            try #require(
                try ask {
                    $0.channel = "inbox:ann"
                    $0.seq = seq
                }.entries.first?.people.first)
        }
        let (first, second, third) = (try person(1), try person(2), try person(3))
        #expect((first.isDelivered, first.isSeen, first.isRead, first.deliveredAt) == (true, true, false, nil))
        #expect((second.isDelivered, second.isSeen, second.isRead) == (true, false, true))
        #expect((second.deliveredAt, second.readAt) == ("2026-11-30T10:00:00.000Z", "2026-11-30T10:05:00.000Z"))
        #expect((third.isDelivered, third.isSeen, third.isRead) == (false, false, false))
    }

    @Test func whatTookAnEntryBackIsTold() async throws {
        await ingest([event(.inbox(ann), "e1", cause: cause(1))])
        let row = "db/app.review/{\"id\":7}"
        let gone = Retraction(.cause(row: row, rule: nil), origin: row, change: cause(2).change, after: 0)
        #expect(await bench.ask(.ingest([], [], [gone])).seqs == [])
        await ingest([event(.inbox(ann), "c1", collapse: "k"), event(.inbox(ann), "c2", collapse: "k")])
        let entry = try #require(try ask { $0.id = "e1" }.entries.first)
        #expect(entry.retractedAt != nil && entry.retractedBy == row && !entry.isDeletedByAuthor)
        let replaced = try #require(try ask { $0.id = "c1" }.entries.first)
        #expect(replaced.retractedAt != nil && replaced.replacedBy == 4 && replaced.retractedBy == nil)
    }

    @Test func aBroadcastIsCountedAndOneOfItsPeopleIsTold() async throws {
        await ingest([event(.broadcast("all"), "b1"), event(.inbox(ann), "b1")])
        _ = try bench.query(
            """
            insert into hub.cursor (user_id, channel_id, delivered, seen)
            select 'u' || g, id, 1, g % 2 from hub.channel, generate_series(1, 10) g where name = 'broadcast:all'
            """)
        let answer = try ask { $0.id = "b1" }
        #expect(answer.total == 2 && Set(answer.entries.map(\.channel)) == ["broadcast:all", "inbox:ann"])
        let all = try #require(answer.entries.first { $0.channel == "broadcast:all" })
        #expect(all.counts == FoundEntry.Counts(delivered: 10, seen: 5, read: 0) && all.people.isEmpty)
        let one = try #require(
            try ask {
                $0.id = "b1"
                $0.channel = "broadcast:all"
                $0.user = "u3"
            }.entries.first)
        #expect(one.counts == nil && one.people.map(\.user) == ["u3"] && one.people[0].isSeen)
        #expect(try ask { ($0.id, $0.most) = ("b1", 1) }.entries.count == 1)
    }

    @Test func whatDoesNotExistHasItsReason() async throws {
        await ingest([event(.inbox(ann), "e1")])
        #expect(throws: EntryInquiry.Failure.unknown) { try ask { $0.id = "nothing" } }
        #expect(throws: EntryInquiry.Failure.unknown) { try ask { ($0.id, $0.channel) = ("nothing", "inbox:ann") } }
        #expect(throws: EntryInquiry.Failure.noSuchChannel) { try ask { ($0.id, $0.channel) = ("e1", "inbox:bob") } }
        #expect(throws: EntryInquiry.Failure.noSuchEntry(first: 1, last: 1)) { try ask { ($0.seq, $0.channel) = (9, "inbox:ann") } }
        var question = EntryInquiry.Question()
        question.id = "e1"
        #expect { try EntryInquiry.ask("postgresql://nobody@127.0.0.1:1/none", question, within: .seconds(2)) } throws: { error in
            if case .database = error as? EntryInquiry.Failure { true } else { false }
        }
    }

    private func ingest(_ drafts: [EntryDraft]) async {
        let reply = await bench.ask(.ingest(drafts, []))
        #expect(reply.seqs?.count == drafts.count)
    }
}
