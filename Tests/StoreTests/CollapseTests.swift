import Bus
import HangGuard
import Messaging
import TestKit
import Testing

@testable import Store

/// Entries that replace others with the same collapse key.
@Suite(.timeLimit(.minutes(2)), .guarded) struct CollapseTests {
    private let ann: UserID
    private let channel: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        channel = .inbox(ann)
    }

    private func store(_ entries: (id: String, collapse: String?)..., in channel: Channel? = nil) async {
        let drafts = entries.map { draft(channel ?? self.channel, $0.id, collapse: $0.collapse) }
        #expect(await bench.ask(.ingest(drafts, [])).stored?.count == drafts.count)
    }

    private func move(_ change: CursorChange) async throws -> ChannelState {
        try #require(await bench.ask(.move(ann, channel, change, session: "s1")).moved)
    }

    private func look() async throws -> ChannelState {
        try #require(await bench.ask(.state(ann, channel, entitled: false)).state)
    }

    @Test func whatWasReplacedDoesNotCount() async throws {
        await store(("1", "a"), ("2", "b"), ("3", nil))
        #expect(try await look().counters.unread == 3)
        await store(("4", "a"))
        #expect(try await look().counters == Counters(unread: 3, unseen: 3), "2, 3 and 4")
        await store(("5", "a"), ("6", "a"), ("7", nil))
        #expect(try await look().counters == Counters(unread: 4, unseen: 4), "2, 3, 6 and 7")
        #expect(try bench.cell("select string_agg(seq::text, ',' order by seq) from hub.entry where retracted_at is not null") == "1,4,5")
    }

    @Test func whatWasCountedInACursorIsCountedAgain() async throws {
        await store(("1", "a"), ("2", nil))
        let before = try await move(.delivered(Seq(2)))
        #expect(before.counters.unread == 2)
        await store(("3", "a"))
        let after = try await look()
        #expect(after.counters == Counters(unread: 2, unseen: 2), "2 and 3")
        #expect(after.cursorVersion > before.cursorVersion)
        let acked = try await move(.delivered(Seq(3)))
        #expect(acked.counters == Counters(unread: 2, unseen: 2), "the plain statement leaves it")
        #expect(acked.cursorVersion > after.cursorVersion)
        #expect(try await look().counters == acked.counters)
        let read = try await move(.read(.upTo(Seq(3))))
        #expect(read.counters == Counters() && read.cursor.read == Seq(3) && read.cursorVersion > acked.cursorVersion)
    }

    @Test func whatWasReplacedIsReadBetweenEntriesThatAreRead() async throws {
        await store(("1", nil), ("2", "a"), ("3", nil), ("4", "a"))
        _ = try await move(.read(.set([Seq(1)])))
        let state = try await move(.read(.set([Seq(3)])))
        #expect(state.cursor.read == Seq(3))
        #expect(state.counters.unread == 1)
    }

    @Test func anotherChannelAndARepeatReplaceNothing() async throws {
        await store(("1", "a"), ("2", "a"))
        await store(("3", "a"), in: .inbox(try user("bob")))
        await store(("1", "a"))
        #expect(try await look().counters.unread == 1)
        #expect(try bench.cell("select count(*) from hub.entry where retracted_at is null") == "2")
        #expect(try bench.cell("select retracted_at is null from hub.entry where source_id = '2'") == "t")
    }

    @Test func onlyAnEntryThatReplacesSaysSo() async throws {
        func said() -> [String] {
            bench.bus.events.flatMap { event -> [String] in
                guard case .entries(let entries) = event else { return [] }
                return entries.filter(\.replaces).map(\.draft.id)
            }
        }
        await store(("1", "a"), ("2", "b"), ("3", nil))
        #expect(said() == [])
        await store(("4", "c"), ("5", "b"))
        #expect(said() == ["5"])
        await store(("6", "d"), ("7", "d"), ("8", "d"), ("9", "a"), ("10", nil))
        #expect(said() == ["5", "7", "8", "9"], "each of a batch takes those before it")
        await store(("11", "a"), in: .inbox(try user("bob")))
        await store(("5", "b"))
        #expect(said() == ["5", "7", "8", "9"])
    }

    @Test func theTextOfWhatWasReplacedStaysInHistory() async throws {
        await store(("1", "a"), ("2", "a"))
        let page = try #require(await bench.ask(.page(channel, after: .zero, before: nil, limit: 10)).page)
        #expect(page.entries.map(\.draft.id) == ["1", "2"] && page.entries[0].draft.content == page.entries[1].draft.content)
    }
}
