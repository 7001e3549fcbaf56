import Bus
import HangGuard
import Messaging
import Telemetry
import TestKit
import Testing

@testable import Store

/// Entries that the platform takes back.
@Suite(.timeLimit(.minutes(2)), .guarded) struct RetractionTests {
    private let ann: UserID
    private let channel: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        channel = .inbox(ann)
    }

    private func change(_ lsn: Int64, commit: Int64 = 0, time: Int64 = 0) -> ChangePosition {
        ChangePosition(commit: commit, lsn: lsn, time: Timestamp(milliseconds: time))
    }

    /// An entry of the rule `r` that the row has caused.
    private func on(_ lsn: Int64, _ row: String = "a", rule: String = "r", in channel: Channel? = nil, time: Int64 = 0) -> EntryDraft {
        draft(channel ?? self.channel, "\(row)#\(rule)#\(lsn)", cause: Cause(row: row, rule: rule, change: change(lsn, time: time)))
    }

    private func off(_ lsn: Int64, _ row: String = "a", rule: String? = nil, after: Int = 0, time: Int64 = 0) -> Retraction {
        Retraction(.cause(row: row, rule: rule), origin: row, change: change(lsn, time: time), after: after)
    }

    private func event(_ id: String, in channel: Channel? = nil, after: Int = 0) -> Retraction {
        Retraction(
            .event(source: "tests", id: id, channel ?? self.channel), origin: "event/tests/no \(id)", change: nil, after: after)
    }

    private func group(_ group: String, by id: String, in channel: Channel? = nil, after: Int = 0) -> Retraction {
        Retraction(.group(group, channel ?? self.channel), origin: "event/tests/\(id)", change: change(0), after: after)
    }

    @discardableResult
    private func ingest(_ drafts: [EntryDraft], _ retractions: [Retraction] = []) async -> [UInt64]? {
        await bench.ask(.ingest(drafts, [], retractions)).seqs
    }

    /// The live entries of all channels.
    private func live() throws -> [String] {
        try bench.query(
            "select c.name || '/' || e.source_id from hub.entry e join hub.channel c on c.id = e.channel_id where e.retracted_at is null order by 1"
        ).compactMap { $0[0] }
    }

    private func look(_ channel: Channel? = nil) async throws -> Counters {
        try #require(await bench.ask(.state(ann, channel ?? self.channel, entitled: true)).state).counters
    }

    // MARK: Each kind

    @Test func theEntryOfAnEventIsTakenBackInTheNamedChannels() async throws {
        let bob = try inbox("bob")
        await ingest([draft(channel, "1"), draft(channel, "2"), draft(bob, "1")])
        await ingest([], [event("1")])
        #expect(try live() == ["inbox:ann/2", "inbox:bob/1"])
        #expect(try bench.entries(channel) == ["1:1", "2:2", "3:retraction:1"])
        #expect(
            try bench.cell("select content from hub.entry where source_id = '1' and retracted_at is not null") == #"{"retracted":true}"#)
        #expect(try bench.cell("select last_seq from hub.channel where name = 'inbox:ann'") == "3")
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:ann/2", "inbox:bob/1", "inbox:ann/3"])
        guard case .entries(let told)? = bench.bus.events.last else { return #expect(Bool(false)) }
        #expect(told.map(\.draft) == [.retraction(of: Seq(1), in: channel)])
        let page = try #require(await bench.ask(.page(channel, after: .zero, before: nil, limit: 9)).page)
        #expect(page.entries.map(\.draft.kind) == [.notification, .notification, .retraction])
        #expect(page.entries[2].draft.content == #""refers":1"# && page.entries[2].draft.id == "retraction:1")
        #expect(page.entries[0].draft.content == #""retracted":true"#)
    }

    @Test func whatIsNotThereIsNotTakenBackAndNothingTwice() async throws {
        await ingest([], [event("1"), off(1, "none"), group("g", by: "x")])
        #expect(try bench.cell("select count(*) from hub.channel") == "0", "no channel is made for it")
        await ingest([draft(channel, "1")])
        await ingest([], [event("1")])
        await ingest([], [event("1")])
        #expect(try bench.entries(channel) == ["1:1", "2:retraction:1"])
        await ingest([draft(channel, "1")])
        #expect(try live() == [], "an event that is published again is the same event")
    }

    @Test func aGroupIsTakenBackInOneChannel() async throws {
        let bob = try inbox("bob")
        await ingest([
            draft(channel, "1", group: "g"), draft(channel, "2", group: "h"), draft(bob, "1", group: "g"), draft(channel, "3", group: "g"),
        ])
        await ingest([], [group("g", by: "x")])
        #expect(try live() == ["inbox:ann/2", "inbox:bob/1"])
        #expect(try bench.entries(channel) == ["1:1", "2:2", "3:3", "4:retraction:1", "5:retraction:3"])
        await ingest([draft(channel, "4", group: "g")], [group("g", by: "x")])
        #expect(try live() == ["inbox:ann/2", "inbox:ann/4", "inbox:bob/1"], "the same event, read again")
        await ingest([draft(channel, "4", group: "g")], [group("g", by: "x")])
        #expect(try live() == ["inbox:ann/2", "inbox:ann/4", "inbox:bob/1"])
        await ingest([], [group("g", by: "y")])
        #expect(try live() == ["inbox:ann/2", "inbox:bob/1"])
    }

    @Test func aCauseIsTakenBackByOneRuleOrByAll() async throws {
        let bob = try inbox("bob")
        await ingest([on(1), on(1, rule: "s"), on(1, rule: "s", in: bob), on(1, "b")])
        await ingest([], [off(2, rule: "s")])
        #expect(try live() == ["inbox:ann/a#r#1", "inbox:ann/b#r#1"])
        await ingest([], [off(3)])
        #expect(try live() == ["inbox:ann/b#r#1"])
        #expect(try bench.entries(bob) == ["1:a#s#1", "2:retraction:1"])
        #expect(try bench.query("select origin, lsn from hub.row_change order by 1") == [["a", "3"], ["b", "1"]])
    }

    @Test func messagesOfUsersAndWhatHasExpiredAreLeft() async throws {
        let bob = try user("bob")
        let talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        _ = await bench.ask(.append(draft(talk, "1", source: "tests", sender: ann)))
        await ingest([draft(channel, "old", expiresAt: Timestamp(milliseconds: 1_000)), draft(talk, "e")])
        await ingest([], [event("1", in: talk), event("old"), event("e", in: talk)])
        #expect(try bench.entries(talk) == ["1:1", "2:e", "3:retraction:2"])
        #expect(try live() == ["\(talk.storedName)/1", "inbox:ann/old"])
    }

    // MARK: Counters

    @Test func whatWasTakenBackCountsForNobody() async throws {
        await ingest([draft(channel, "1", priority: .high), draft(channel, "2")])
        #expect(try await look() == Counters(unread: 2, unseen: 2, urgent: 1))
        await ingest([], [event("1")])
        #expect(try await look() == Counters(unread: 1, unseen: 1))
        let acked = try #require(await bench.ask(.move(ann, channel, .delivered(Seq(3)), session: "s")).moved)
        #expect(acked.counters == Counters(unread: 1, unseen: 1))
        await ingest([draft(channel, "3")], [event("2")])
        #expect(try await look() == Counters(unread: 1, unseen: 1), "3")
        let read = try #require(await bench.ask(.move(ann, channel, .read(.upTo(Seq(5))), session: "s")).moved)
        #expect(read.counters == Counters() && read.cursor.read == Seq(5))
        await ingest([], [event("3")])
        #expect(try await look() == Counters())
        #expect(try live() == [], "what was read is taken back, too")
    }

    @Test func aBroadcastIsTakenBackForAll() async throws {
        let news = Channel.broadcast("system")
        await ingest([draft(news, "1"), draft(news, "2")])
        for name in ["ann", "bob"] { _ = await bench.ask(.move(try user(name), news, .delivered(Seq(2)), session: "s")) }
        await ingest([], [event("1", in: news)])
        #expect(try await look(news).unread == 1)
        let bob = try #require(await bench.ask(.state(try user("bob"), news, entitled: true)).state)
        #expect(bob.counters.unread == 1 && bob.head == Seq(3))
    }

    @Test func whatItReplacesWouldHaveIsNotTouchedTwice() async throws {
        func replacing(_ lsn: Int64) -> EntryDraft {
            draft(channel, "\(lsn)", collapse: "k", cause: Cause(row: "a", rule: "r", change: change(lsn)))
        }
        await ingest([replacing(1)])
        await ingest([replacing(3)], [off(2)])
        #expect(try live() == ["inbox:ann/3"])
        #expect(try bench.cell("select content from hub.entry where seq = 1") == #"{"retracted":true}"#)
        #expect(try await look().unread == 1)
    }

    // MARK: Order

    @Test func retractionsComeBeforeTheDraftsThatFollowThem() async throws {
        #expect(await ingest([on(1), on(3)], [off(2, after: 1)]) == [0, 1])
        #expect(try bench.entries(channel) == ["1:a#r#3"])
        #expect(await ingest([on(5)], [off(4)]) == [3])
        #expect(try bench.entries(channel) == ["1:a#r#3", "2:retraction:1", "3:a#r#5"])
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:ann/2", "inbox:ann/3"])
        #expect(await ingest([draft(channel, "x"), on(7)], [off(8, after: 2), event("x", after: 2)]) == [0, 0])
        #expect(try live() == [])
        #expect(try bench.cell("select lsn from hub.row_change") == "8")
    }

    @Test func changesThatAreSentAgainDoNothing() async throws {
        await ingest([on(1)])
        await ingest([], [off(2)])
        await ingest([on(3)])
        let before = try bench.entries(channel)
        #expect(before == ["1:a#r#1", "2:retraction:1", "3:a#r#3"])
        for again in [([on(1)], []), ([], [off(2)]), ([on(3)], [])] as [([EntryDraft], [Retraction])] {
            await ingest(again.0, again.1)
            #expect(try live() == ["inbox:ann/a#r#3"])
        }
        await ingest([on(1), on(3)], [off(2, after: 1)])
        #expect(try bench.entries(channel) == before)
        // Even when the connector gives them other ids.
        await ingest([draft(channel, "other", cause: Cause(row: "a", rule: "r", change: change(3)))])
        #expect(try bench.entries(channel) == before)
    }

    @Test func aDatabaseThatWentBackIsBelieved() async throws {
        await ingest([on(100, time: 1_000)])
        await ingest([], [off(50, time: 900)])
        #expect(try live().count == 1)
        await ingest([], [off(60, time: 2_000)])
        #expect(try live() == [])
        #expect(try bench.cell("select lsn from hub.row_change") == "60")
        let byCommit = Retraction(.cause(row: "a", rule: nil), origin: "a", change: change(10, commit: 5, time: 2_000), after: 0)
        await ingest([on(61, time: 2_000)])
        await ingest([], [byCommit])
        #expect(try live().count == 1, "without a commit on both sides the lsn decides")
    }

    @Test func anEffectIsNotedAndNothingElse() async throws {
        await ingest([], [off(7)])
        #expect(try bench.cell("select count(*) from hub.row_change") == "0")
        await ingest([on(8)], [off(9, after: 1)])
        #expect(try bench.query("select origin, lsn from hub.row_change") == [["a", "9"]], "a draft that it took back is an effect")
        await ingest([on(8)])
        #expect(try live() == [])
        _ = try bench.query("update hub.row_change set noted_at = now() - interval '31 days'")
        await ingest([on(1, "b")])
        #expect(try bench.query("select origin from hub.row_change") == [["b"]])
        _ = try bench.query("update hub.row_change set noted_at = now() - interval '31 days'")
        await ingest([on(2, "b")])
        #expect(try bench.query("select origin, lsn from hub.row_change") == [["b", "2"]])
    }

    // MARK: Fence and slices

    private func position(_ offset: Int64, after: Int64?, takesOver: Bool = false) -> IngestPosition {
        var position = IngestPosition(group: "hub", topic: "t", partition: 0, offset: offset, after: after)
        position.takesOver = takesOver
        return position
    }

    @Test func aHubThatLostThePartitionTakesNothingBack() async throws {
        let frozen = try await StoreBench { $0.isShared = true }.ready()
        let heir = try await StoreBench(frozen.address) { $0.isShared = true }.ready()
        #expect(await frozen.ask(.ingest([on(1)], [position(0, after: nil, takesOver: true)])).seqs == [1])
        #expect(await heir.ask(.ingest([], [position(1, after: 0, takesOver: true)])).seqs == [])
        let stale = await frozen.ask(.ingest([on(3)], [position(1, after: 0)], [off(2)]))
        #expect(stale == .behind([position(1, after: nil)]))
        #expect(try frozen.entries(channel) == ["1:a#r#1"])
        #expect(try frozen.query("select origin, lsn from hub.row_change") == [["a", "1"]])
        #expect(await heir.ask(.ingest([on(3)], [position(2, after: 1)], [off(2)])).seqs == [3])
        #expect(try frozen.entries(channel) == ["1:a#r#1", "2:retraction:1", "3:a#r#3"])
        try await until { frozen.bus.events.contains(.storedElsewhere(channel, upTo: Seq(3))) }
    }

    @Test func manyEntriesAreTakenBackInSlices() async throws {
        let count = RetractingBatch.entries * 2 + 5
        for start in stride(from: 0, to: count, by: 1_000) {
            await ingest(try (start..<min(start + 1_000, count)).map { on(Int64(start + 1), in: try inbox("u\($0)")) })
        }
        let before = bench.store.statistics.ingestSlices.value
        let seqs = await bench.ask(.ingest([on(9_001)], [position(4, after: nil)], [off(9_000)])).seqs
        #expect(seqs == [1])
        #expect(bench.store.statistics.ingestSlices.value - before == 2)
        #expect(try live() == ["inbox:ann/a#r#9001"])
        #expect(try bench.cell("select count(*) from hub.entry where kind = 'retraction'") == "\(count)")
        #expect(try bench.cell("select position from hub.intake_position where topic = 't'") == "4")
        #expect(bench.bus.entries.count == 2 * count + 1)
    }

    @Test func anOrderThatRetractsIsAloneInItsBatch() async throws {
        let replies = await bench.ask([
            .ingest([draft(channel, "1")], []), .ingest([], [], [event("1")]), .ingest([draft(channel, "2")], []),
            .ingest([], []), .ingest([], [], [event("2")]),
        ])
        #expect(replies.map(\.seqs) == [[1], [], [3], [], []])
        #expect(try live() == [])
    }

    // MARK: Uncertain commits

    @Test func aRetractionThatRunsAgainIsToldAgain() async throws {
        await ingest([on(1), draft(channel, "1", group: "g"), draft(channel, "2")])
        let all = [off(2), group("g", by: "x"), event("2")]
        await ingest([], all)
        let told = ["inbox:ann/4", "inbox:ann/5", "inbox:ann/6"]
        #expect(bench.bus.entries.suffix(3) == told)
        await ingest([], all)
        #expect(bench.bus.entries.count == 9 && bench.bus.entries.suffix(3) == told)
    }

    @Test func aConversationThatDoesNotExistIsSaid() async throws {
        let nowhere = try #require(Channel(storedName: "conversation:0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d"))
        let reply = await bench.ask(.ingest([on(1), on(1, in: nowhere)], [], [event("x")]))
        guard case .partlyStored(let drafts) = reply else { return #expect(Bool(false), "\(reply)") }
        #expect(drafts.map { $0?.seq } == [Seq(1), nil])
    }
}
