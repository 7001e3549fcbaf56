import Bus
import HangGuard
import Linux
import Messaging
import TestKit
import Testing

@testable import Store

/// Which entries count for a user, and that those which do not count never stand between two that are read.
@Suite(.timeLimit(.minutes(3)), .guarded) struct StoreCountTests {
    private let ann: UserID
    private let bob: UserID
    private let channel: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        bob = try user("bob")
        channel = .inbox(ann)
    }

    private func store(_ drafts: [EntryDraft]) async {
        #expect(await bench.ask(.ingest(drafts, [])).stored?.count == drafts.count)
    }

    private func move(_ change: CursorChange) async throws -> ChannelState {
        try #require(await bench.ask(.move(ann, channel, change, session: "s1")).moved)
    }

    private func look() async throws -> ChannelState {
        try #require(await bench.ask(.state(ann, channel, entitled: false)).state)
    }

    /// Adds many plain entries behind the first, which makes the channel.
    private func fill(to head: Int) async throws {
        await store([draft(channel, "1")])
        _ = try bench.query(
            """
            insert into hub.entry (channel_id, seq, source, source_id, kind, event_type, priority, form, content, created_at)
            select c.id, s, 'fill', s::text, 'notification', 't', 'normal', 'full', '{}', now()
            from hub.channel c cross join generate_series(2, \(head)) s where c.name = '\(channel.storedName)';
            update hub.channel set last_seq = \(head) where name = '\(channel.storedName)'
            """)
    }

    @Test func moreThanTenThousandUnreadEntriesAreCounted() async throws {
        try await fill(to: 25_000)
        #expect(try await look().counters == Counters(unread: 25_000, unseen: 25_000))
        #expect(try await move(.delivered(Seq(10))).counters == Counters(unread: 25_000, unseen: 25_000))
        #expect(try await move(.delivered(Seq(20))).counters == Counters(unread: 25_000, unseen: 25_000), "by the plain statement")
        #expect(try await move(.read(.upTo(Seq(3)))).counters == Counters(unread: 24_997, unseen: 24_997))
        #expect(try await look().counters == Counters(unread: 24_997, unseen: 24_997))
    }

    @Test func anOldEntryThatIsMarkedUnreadCounts() async throws {
        try await fill(to: 12_000)
        #expect(try await move(.read(.upTo(Seq(.max)))).counters == Counters())
        #expect(try await move(.unread([Seq(1)])).counters == Counters(unread: 1))
        #expect(try await look().counters == Counters(unread: 1))
        #expect(try await move(.read(.set([Seq(1)]))).counters == Counters())
    }

    @Test func aDialogueReadMessageByMessageIsReadWithoutRanges() async throws {
        let drafts = (1...40).map { draft(channel, "\($0)", sender: $0 % 2 == 0 ? ann : bob) }
        await store(drafts)
        for seq in stride(from: UInt64(1), through: 39, by: 2) {
            let state = try await move(.read(.set([Seq(seq)])))
            #expect(state.cursor.read == Seq(seq) && state.cursor.readAlso.isEmpty)
            var told = false
            if case .moved(let cursor)? = bench.bus.events.last { told = cursor.isProgress }
            #expect(told, "the other member gets a receipt")
        }
        #expect(try await move(.unread([Seq(20)])).cursor.read == Seq(39), "an own message cannot be unread")
        #expect(try await move(.unread([Seq(21)])).cursor == Cursor(delivered: Seq(39), seen: Seq(39), read: Seq(20), readAlso: [22...39]))
    }

    @Test func entriesThatDoNotCountJoinRanges() async throws {
        let past = Timestamp(milliseconds: WallClock.now() - 1_000)
        await store(
            (1...20).map { n in
                var draft = draft(channel, "\(n)")
                if [3, 7, 15].contains(n) { draft.expiresAt = past }
                if [9, 10, 17].contains(n) { draft.sender = ann }
                return draft
            })
        _ = try bench.query("update hub.entry set retracted_at = now() where seq = 4")
        #expect(
            try await move(.read(.set([Seq(5), Seq(8), Seq(11), Seq(13), Seq(18)]))).cursor.readAlso == [3...5, 7...11, 13...13, 17...18],
            "15 lies next to nothing that is read")
        let prefix = try await move(.read(.set([Seq(1), Seq(2)])))
        #expect(prefix.cursor.read == Seq(5) && prefix.cursor.delivered == Seq(5))
        #expect(prefix.counters == Counters(unread: 6, unseen: 6))
    }

    @Test func aFormalNoticeIsReadByAMarkOnly() async throws {
        let past = Timestamp(milliseconds: WallClock.now() - 1_000)
        await store([
            draft(channel, "1"), draft(channel, "2", expiresAt: past, receipt: true), draft(channel, "3"),
        ])
        let marked = try await move(.read(.set([Seq(1), Seq(3)])))
        #expect(marked.cursor == Cursor(delivered: Seq(1), seen: Seq(1), read: Seq(1), readAlso: [3...3]))
        #expect(try bench.query("select * from hub.receipt").isEmpty)
        #expect(try await move(.read(.set([Seq(2)]))).cursor.read == Seq(3))
        #expect(try bench.query("select seq, read_session from hub.receipt") == [["2", "s1"]])
    }

    @Test func exactlyTheMostRangesAreKept() async throws {
        try await fill(to: 3_000)
        let read = try await move(.read(.upTo(Seq(1))))
        #expect(read.cursor.readAlso.isEmpty)
        let full = try await move(.read(.set((1...999).map { Seq($0 * 2 + 1) })))
        #expect(full.cursor.readAlso.count == 999)
        #expect(try await move(.read(.set([Seq(2_001)]))).cursor.readAlso.count == Cursor.mostRanges)
        #expect(await bench.ask(.move(ann, channel, .read(.set([Seq(2_003)])), session: "s")) == .failed(.tooScattered))
        #expect(try await move(.read(.set([Seq(2_002)]))).cursor.readAlso.count == Cursor.mostRanges, "it only lengthens one")
    }

    // MARK: The version

    private func anHourPasses() throws {
        _ = try bench.query(
            """
            update hub.entry set expires_at = expires_at - interval '1 hour', created_at = created_at - interval '1 hour';
            update hub.cursor set recount_at = recount_at - interval '1 hour', updated_at = updated_at - interval '1 hour'
            """)
    }

    @Test(arguments: [false, true]) func theVersionGrowsWhenAnEntryExpires(hasRow: Bool) async throws {
        let soon = Timestamp(milliseconds: WallClock.now() + 3_000_000)
        await store([draft(channel, "1"), draft(channel, "2", expiresAt: soon), draft(channel, "3", expiresAt: soon)])
        let before = hasRow ? try await move(.delivered(Seq(1))) : try await look()
        #expect(before.counters.unread == 3)
        #expect(try await look().version == before.version, "nothing has happened")
        try anHourPasses()
        let after = try await look()
        #expect(after.counters.unread == 1 && after.version > before.version)
        #expect(try await look().version == after.version)
        let unchanged = try await move(.delivered(.zero))
        #expect(unchanged.counters == after.counters && unchanged.version >= after.version)
        let marked = try await move(.read(.set([Seq(2)])))
        #expect(marked.version > unchanged.version, "also when what expired is marked as read")
        #expect(try await look().version == marked.version)
        #expect(try await move(.read(.upTo(Seq(.max)))).version > marked.version)
    }

    @Test func theVersionGrowsWithAnEntryThatComesTooLate() async throws {
        await store([draft(channel, "1")])
        let before = try await move(.delivered(Seq(1)))
        await store([draft(channel, "2", expiresAt: Timestamp(milliseconds: WallClock.now() - 1_000))])
        let after = try await look()
        #expect(after.counters == before.counters && after.version > before.version + 1, "a loop may have counted it")
        #expect(try await move(.delivered(Seq(2))).version > after.version)
    }

    @Test func theVersionNeverFallsWhenOldEntriesAreRemoved() async throws {
        let past = Timestamp(milliseconds: WallClock.now() - 1_000)
        await store((1...9).map { draft(channel, "\($0)", expiresAt: $0 % 2 == 0 ? past : nil) })
        var known = try await look()
        for removed in [2, 5, 9] {
            _ = try bench.query("delete from hub.entry where seq <= \(removed)")
            let state = try await look()
            #expect(state.version >= known.version && (state.counters == known.counters || state.version > known.version))
            known = state
        }
        #expect(try await move(.delivered(Seq(9))).version > known.version)
    }
}
