import Bus
import HangGuard
import Messaging
import TestKit
import Testing

@testable import Store

/// Messages that are edited and taken back: what is stored, what is told, and what counts.
@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreChangeTests {
    private let ann: UserID
    private let bob: UserID
    private let talk: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        bob = try user("bob")
        talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        for n in 1...3 {
            let message = draft(talk, "m\(n)", source: "user:ann", sender: ann, content: #""body":"\#(n)","context":"c","data":[\#(n)]"#)
            #expect(await bench.ask(.append(message)).seqs == [UInt64(n)])
        }
        bench.bus.forget()
    }

    private func edit(_ seq: UInt64, _ key: String, _ body: String, by user: UserID? = nil) async -> StoreReply {
        let author = user ?? ann
        let change = EntryDraft(
            channel: talk, source: "change:\(author.name)", id: key, kind: .change, eventType: "change", sender: author,
            content: #""refers":\#(seq),"body":"\#(body)""#)
        return await bench.ask(.change(change, of: Seq(seq), to: #""body":"\#(body)""#))
    }

    private func delete(_ seq: UInt64, _ key: String, by user: UserID? = nil) async -> StoreReply {
        let author = user ?? ann
        let change = EntryDraft(
            channel: talk, source: "change:\(author.name)", id: key, kind: .retraction, eventType: "retraction", sender: author,
            content: #""refers":\#(seq)"#)
        return await bench.ask(.change(change, of: Seq(seq), to: nil))
    }

    /// The members of each entry as clients read them, without spaces.
    private func contents() async throws -> [String] {
        let page = try #require(await bench.ask(.page(talk, after: .zero, before: nil, limit: 100)).page)
        return page.entries.map { $0.draft.kind.rawValue + " " + $0.draft.content.replacing(" ", with: "") }
    }

    private func unread(_ user: UserID) async throws -> (UInt32, version: UInt64) {
        let state = try #require(await bench.ask(.state(user, talk, entitled: false)).state)
        return (state.counters.unread, state.version)
    }

    @Test func anEditIsANewEntryAndTheMessageHasTheNewestText() async throws {
        #expect(await edit(2, "e1", "zwei").seqs == [4])
        guard case .entries(let told)? = bench.bus.events.first else { return #expect(bench.bus.events.count == 2) }
        #expect(told.map(\.draft.kind) == [.change] && told[0].seq == Seq(4))
        #expect(bench.bus.events.last == .active(talk, members: [ann, bob]))
        #expect(await edit(2, "e2", "two").seqs == [5])
        let all = try await contents()
        #expect(all[1].contains(#""body":"two""#) && all[1].contains(#""edited":5"#) && all[1].contains(#""context":"c""#))
        #expect(!all[1].contains("data"), "an edit replaces data, too")
        #expect(all[0].contains(#""body":"1""#) && all[2].contains(#""body":"3""#))
        #expect(all[3...] == [#"change "refers":2"#, #"change "refers":2,"body":"two""#], "the first change was superseded")
    }

    @Test func aRepeatChangesNothing() async throws {
        #expect(await edit(2, "e1", "zwei").seqs == [4])
        #expect(await edit(2, "e2", "two").seqs == [5])
        bench.bus.forget()
        let again = await edit(2, "e1", "zwei")
        #expect(again.seqs == [4] && again.stored?.first?.duplicate == true)
        #expect(try await contents()[1].contains(#""body":"two""#) && bench.bus.events.isEmpty)
    }

    @Test func whatIsDeletedIsNowhereToBeRead() async throws {
        _ = await edit(2, "e1", "zwei")
        #expect(await delete(2, "d1").seqs == [5])
        let all = try await contents()
        #expect(all[1] == #"message "retracted":true"#)
        #expect(all[3...] == [#"change "refers":2"#, #"retraction "refers":2"#])
        #expect(await edit(2, "e3", "again") == .failed(.notChangeable))
        #expect(await delete(2, "d2") == .failed(.notChangeable))
        #expect(await delete(2, "d1").stored?.first?.duplicate == true)
    }

    @Test func onlyTheAuthorOfAMessageMayChangeIt() async throws {
        #expect(await edit(1, "x", "mine", by: bob) == .failed(.notChangeable))
        #expect(await delete(9, "x") == .failed(.notChangeable))
        #expect(await edit(1, "x", "theirs", by: try user("eve")) == .failed(.forbidden))
        #expect(await edit(1, "e", "new").seqs == [4])
        #expect(await delete(4, "d") == .failed(.notChangeable), "a change is no message")
        _ = await bench.ask(.leave(ann, talk))
        #expect(await delete(1, "d") == .failed(.forbidden))
    }

    @Test func changesCountForNobodyAndDeletedMessagesNoMore() async throws {
        let row = try #require(await bench.ask(.move(bob, talk, .delivered(Seq(3)), session: "s")).moved)
        #expect(row.counters.unread == 3)
        _ = await edit(2, "e1", "zwei")
        let edited = try await unread(bob)
        #expect(edited.0 == 3 && edited.version > row.version)
        _ = await delete(2, "d1")
        let deleted = try await unread(bob)
        #expect(deleted.0 == 2 && deleted.version > edited.version + 1, "a loop may have told the old number at this head")
        let moved = try #require(await bench.ask(.move(bob, talk, .delivered(Seq(5)), session: "s")).moved)
        #expect(moved.counters.unread == 2 && moved.version > deleted.version)
        #expect(try await unread(bob).version == moved.version)
        let read = try #require(await bench.ask(.move(bob, talk, .read(.set([Seq(1), Seq(3)])), session: "s")).moved)
        #expect(read.cursor.read == Seq(3) && read.counters == Counters())
        #expect(try await unread(ann).0 == 0)
    }
}
