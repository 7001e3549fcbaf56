import HangGuard
import Linux
import Messaging
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

/// Old entries are removed, and everything else stays right.
@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreRetentionTests {
    private let ann: UserID
    init() throws { ann = try user("ann") }

    private static let day: Int64 = 86_400_000
    private func age(_ days: Int64) -> Timestamp { Timestamp(milliseconds: WallClock.now() - days * Self.day) }

    /// Makes the entries up to `seq` so many days old.
    private func makeOld(_ bench: StoreBench, upTo seq: Int, days: Int = 10, in channel: Channel) throws {
        _ = try bench.query(
            """
            update hub.entry e set created_at = now() - interval '\(days) days' from hub.channel c
            where c.id = e.channel_id and c.name = '\(channel.storedName)' and e.seq <= \(seq)
            """)
    }

    /// Steps until all channels were looked at.
    private func remove(
        _ bench: StoreBench, notifications: Timestamp? = nil, messages: Timestamp? = nil, system: Timestamp? = nil
    ) async throws -> (entries: Int, steps: Int, oldest: Timestamp?) {
        var (after, entries, steps): (Int64?, Int, Int) = (0, 0, 0)
        var oldest: Timestamp?
        while let from = after {
            let removal = Removal(after: from, notifications: notifications, messages: messages, system: system)
            guard case .removed(let removed) = await bench.ask(.remove(removal)) else { throw StoreFailure.unavailable }
            entries += removed.entries
            steps += 1
            if let time = removed.oldest { oldest = min(oldest ?? time, time) }
            after = removed.next
        }
        return (entries, steps, oldest)
    }

    @Test func entriesAreRemovedByTheirAgeAndFirstTells() async throws {
        let bench = try await StoreBench().ready()
        let channel = Channel.inbox(ann)
        _ = await bench.ask(.ingest((1...10).map { draft(channel, "\($0)") }, []))
        #expect(await bench.ask(.state(ann, channel, entitled: true)).state?.first == Seq(1))
        try makeOld(bench, upTo: 6, in: channel)
        #expect(try await remove(bench).entries == 0, "nothing without an age")
        #expect(try await remove(bench, messages: age(5)).entries == 0, "another kind")
        #expect(try await remove(bench, notifications: age(20)).entries == 0, "not old enough")
        let pass = try await remove(bench, notifications: age(5))
        #expect(pass.entries == 6)
        #expect(try bench.entries(channel) == ["7:7", "8:8", "9:9", "10:10"])
        let state = try #require(await bench.ask(.state(ann, channel, entitled: true)).state)
        #expect(state.first == Seq(7) && state.head == Seq(10))
        #expect(await bench.ask(.snapshot(ann, broadcasts: [], asked: [], most: 9)).snapshot?.first?.first == Seq(7))
        let page = try #require(await bench.ask(.page(channel, after: nil, before: nil, limit: 50)).page)
        #expect(page.entries.map(\.seq.rawValue) == [7, 8, 9, 10] && !page.more)
        // Numbers go on, also when nothing is left.
        try makeOld(bench, upTo: 10, in: channel)
        #expect(try await remove(bench, notifications: age(5)).entries == 4)
        #expect(await bench.ask(.state(ann, channel, entitled: true)).state?.first == Seq(11))
        #expect(await bench.ask(.ingest([draft(channel, "11")], [])).seqs == [11])
        // The key of a removed entry is forgotten.
        #expect(await bench.ask(.ingest([draft(channel, "1"), draft(channel, "11")], [])).stored?.map(\.duplicate) == [false, true])
    }

    @Test func anEntryThatIsKeptKeepsTheLaterOnes() async throws {
        let bench = try await StoreBench().ready()
        let channel = Channel.inbox(ann)
        var drafts = (1...6).map { draft(channel, "\($0)") }
        drafts[3] = EntryDraft(channel: channel, source: "tests", id: "4", kind: .system, eventType: "test", content: "")
        _ = await bench.ask(.ingest(drafts, []))
        try makeOld(bench, upTo: 6, in: channel)
        #expect(try await remove(bench, notifications: age(5)).entries == 3)
        #expect(await bench.ask(.state(ann, channel, entitled: true)).state?.first == Seq(4))
        #expect(try await remove(bench, notifications: age(5), system: age(5)).entries == 3)
    }

    @Test func countersFollowAndTheVersionGrows() async throws {
        let bench = try await StoreBench().ready()
        let channel = Channel.inbox(ann)
        _ = await bench.ask(.ingest((1...10).map { draft(channel, "\($0)", priority: $0 == 2 ? .high : .normal) }, []))
        _ = await bench.ask(.move(ann, channel, .delivered(Seq(10)), session: "s"))
        _ = await bench.ask(.move(ann, channel, .read(.set([Seq(3), Seq(9)])), session: "s"))
        func state() async throws -> ChannelState { try #require(await bench.ask(.state(ann, channel, entitled: true)).state) }
        let before = try await state()
        #expect(before.counters.unread == 8 && before.counters.urgent == 1)
        try makeOld(bench, upTo: 6, in: channel)
        _ = try await remove(bench, notifications: age(5))
        let after = try await state()
        #expect(after.counters == Counters(unread: 3, unseen: 3, urgent: 0), "7, 8 and 10")
        #expect(after.version > before.version)
        #expect(after.cursor == before.cursor, "what was removed does not move the cursor")
        // An acknowledgement, which continues from what was counted, counts the same.
        _ = await bench.ask(.ingest([draft(channel, "11")], []))
        let moved = try #require(await bench.ask(.move(ann, channel, .delivered(Seq(11)), session: "s")).moved)
        #expect(moved.counters.unread == 4 && moved.version > after.version)
        #expect(try await state().counters.unread == 4)
        // Somebody who never had a cursor counts what is there.
        _ = await bench.ask(.ingest((1...5).map { draft(.broadcast("all"), "\($0)") }, []))
        try makeOld(bench, upTo: 3, in: .broadcast("all"))
        _ = try await remove(bench, notifications: age(5))
        #expect(await bench.ask(.state(ann, .broadcast("all"), entitled: true)).state?.counters.unread == 2)
        let read = try #require(await bench.ask(.move(ann, channel, .read(.upTo(Seq(11))), session: "s")).moved)
        #expect(read.counters.unread == 0 && read.version > moved.version)
        #expect(try await state().counters.unread == 0)
    }

    @Test func receiptsAreKept() async throws {
        let bench = try await StoreBench().ready()
        let channel = Channel.inbox(ann)
        _ = await bench.ask(.ingest([draft(channel, "1", receipt: true)], []))
        _ = await bench.ask(.move(ann, channel, .read(.upTo(Seq(1))), session: "s"))
        try makeOld(bench, upTo: 1, in: channel)
        #expect(try await remove(bench, notifications: age(5)).entries == 1)
        #expect(try bench.cell("select count(*) from hub.receipt where read_at is not null") == "1")
    }

    @Test func aPassGoesThroughAllChannelsInSmallSteps() async throws {
        let bench = try await StoreBench().ready()
        _ = try bench.query(
            """
            insert into hub.channel (name, kind, last_seq) select 'inbox:u' || g, 'inbox', case when g = 7 then 500 when g % 5 = 0 then 0 else 3 end
            from generate_series(1, 700) g;
            insert into hub.entry (channel_id, seq, source, source_id, kind, event_type, priority, form, content, created_at)
            select c.id, s, 'k', s::text, 'notification', 't', 'normal', 'full', '{}', now() - interval '10 days' + s * interval '1 second'
            from hub.channel c cross join lateral generate_series(1, c.last_seq) s
            """)
        let all = Int(try bench.cell("select count(*) from hub.entry") ?? "") ?? 0
        let pass = try await remove(bench, notifications: age(5))
        #expect(pass.entries == all)
        #expect(pass.steps > all / 1_000)
        #expect(try bench.cell("select count(*) from hub.entry") == "0")
        #expect(try bench.cell("select count(*) from hub.channel where first_seq <> last_seq + 1") == "0")
    }

    @Test func theStoreRemovesByItselfAndTellsThatItDid() async throws {
        let first = try await StoreBench().ready()
        let (inbox, talk) = (
            Channel.inbox(ann), try #require(await first.ask(.open(ann, with: try user("bob"), context: nil, most: 9)).opened).channel
        )
        _ = await first.ask(.ingest((1...100).map { draft(inbox, "\($0)") }, []))
        _ = await first.ask(.append(draft(talk, "1", sender: ann)))
        try makeOld(first, upTo: 90, in: inbox)
        try makeOld(first, upTo: 1, in: talk)
        let second = try await StoreBench(first.address) { configuration in
            configuration.retention.notifications = .seconds(5 * 86_400)
            configuration.retention.pause = .milliseconds(1)
            configuration.retention.interval = .milliseconds(20)
            configuration.retention.retry = .milliseconds(20)
        }.ready()
        try await until { second.store.statistics.retentionFinished.value > 0 }
        try await until { second.store.statistics.entriesRemoved.value == 90 }
        try await until { second.store.statistics.oldestEntry.value > 0 }
        #expect(second.store.statistics.oldestEntry.value < WallClock.now() / 1_000 - 9 * 86_400, "the message, which is kept")
        #expect(try first.entries(inbox).count == 10)
        #expect(try first.entries(talk).count == 1)
        // The next pass begins by itself.
        try makeOld(first, upTo: 95, in: inbox)
        try await until { second.store.statistics.entriesRemoved.value == 95 }
        #expect(first.store.statistics.retentionFinished.value == 0, "without an age nothing runs")
    }
}
