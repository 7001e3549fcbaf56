import Bus
import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

/// Users who block users: what is hidden from whom, and what the blocked user can tell by. Ann writes, Bob blocks her.
@Suite(.timeLimit(.minutes(2)), .guarded) struct BlockTests {
    private let bench: StoreBench
    private let (ann, bob): (UserID, UserID)
    private let talk: Channel

    init() async throws {
        bench = try await StoreBench().ready()
        (ann, bob) = (try user("ann"), try user("bob"))
        talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 9)).opened).channel
        #expect(await bench.ask([message(ann, "1"), message(bob, "2")]).map(\.seqs) == [[1], [2]])
        bench.bus.forget()
    }

    private func message(_ sender: UserID, _ id: String, in channel: Channel? = nil) -> StoreRequest {
        .append(draft(channel ?? talk, id, source: "user:" + sender.name, sender: sender, content: #""body":"\#(id)""#))
    }

    private func change(_ kind: EntryDraft.Kind, _ seq: UInt64, _ key: String) -> StoreRequest {
        let text = kind == .change ? #""body":"\#(key)""# : nil
        let draft = EntryDraft(
            channel: talk, source: "change:ann", id: key, kind: kind, eventType: kind.rawValue, sender: ann,
            content: #""refers":\#(seq)"# + (text.map { "," + $0 } ?? ""))
        return .change(draft, of: Seq(seq), to: text)
    }

    private func block() async { #expect(await bench.ask(.block(bob, ann, most: 9)) == .blockChanged) }
    private func unblock() async { #expect(await bench.ask(.unblock(bob, ann)) == .blockChanged) }

    private func state(_ user: UserID) async throws -> ChannelState {
        try #require(await bench.ask(.state(user, talk, entitled: false)).state)
    }

    private func unread(_ user: UserID) async throws -> [UInt32] {
        let counters = try await state(user).counters
        return [counters.unread, counters.unseen, counters.urgent]
    }

    private func read(_ change: CursorChange) async throws -> ChannelState {
        try #require(await bench.ask(.move(bob, talk, change, session: "s")).moved)
    }

    /// From whom each entry is hidden.
    private func hidden() async throws -> [UInt64: [String]] {
        let page = try #require(await bench.ask(.page(talk, after: .zero, before: nil, limit: 100)).page)
        return Dictionary(uniqueKeysWithValues: page.entries.map { ($0.seq.rawValue, $0.hiddenFrom.map(\.name)) }).filter { !$1.isEmpty }
    }

    /// How far Ann sees that Bob is.
    private func bobAsToldToAnn() async throws -> [UInt64] {
        let bob = try await state(ann).progress.first { $0.user == self.bob }
        return [bob?.delivered.rawValue ?? 0, bob?.read.rawValue ?? 0]
    }

    // MARK: What is hidden

    @Test func whatABlockedUserWritesIsHiddenAndTheOtherDirectionIsNot() async throws {
        await block()
        #expect(await bench.ask([message(ann, "3"), message(bob, "4"), message(ann, "5")]).map(\.seqs) == [[3], [4], [5]])
        #expect(try await hidden() == [3: ["bob"], 5: ["bob"]])
        await unblock()
        #expect(await bench.ask(message(ann, "6")).seqs == [6])
        #expect(try await hidden() == [3: ["bob"], 5: ["bob"]], "what was written meanwhile stays hidden")
    }

    @Test func aBlockIsIdempotentAndEachDirectionIsItsOwn() async throws {
        for _ in 0..<2 { await block() }
        #expect(await bench.ask(.blocks(bob)) == .blocks([ann]))
        #expect(await bench.ask(.blocks(ann)) == .blocks([]))
        #expect(await bench.ask(.block(ann, bob, most: 9)) == .blockChanged)
        #expect(await bench.ask([message(ann, "3"), message(bob, "4")]).map(\.seqs) == [[3], [4]])
        #expect(try await hidden() == [3: ["bob"], 4: ["ann"]])
        for _ in 0..<2 { await unblock() }
        #expect(await bench.ask([message(ann, "5"), message(bob, "6")]).map(\.seqs) == [[5], [6]])
        #expect(try await hidden() == [3: ["bob"], 4: ["ann"], 6: ["ann"]])
        #expect(await bench.ask(.unblock(bob, try user("eve"))) == .blockChanged, "nobody was blocked")
        #expect(try bench.cell("select count(*) from hub.member where hidden_from is not null") == "1")
    }

    @Test func blocksAreBoundedAndTheListHasAll() async throws {
        for n in 0..<3 { #expect(await bench.ask(.block(bob, try user("u\(n)"), most: 3)) == .blockChanged) }
        #expect(await bench.ask(.block(bob, ann, most: 3)) == .failed(.tooManyBlocks))
        #expect(await bench.ask(message(ann, "3")).seqs == [3])
        #expect(try await hidden().isEmpty, "a refused block hides nothing")
        #expect(await bench.ask(.block(bob, try user("u1"), most: 3)) == .blockChanged, "a repeated one is no further one")
        #expect(await bench.ask(.blocks(bob)) == .blocks([try user("u0"), try user("u1"), try user("u2")]))
        #expect(await bench.ask(.unblock(bob, try user("u0"))) == .blockChanged)
        await block()
    }

    @Test func everyHubHidesTheSame() async throws {
        let second = try await StoreBench(bench.address).ready()
        await block()
        #expect(await second.ask(message(ann, "3")).seqs == [3])
        #expect(try await hidden() == [3: ["bob"]])
        #expect(await second.ask(.unblock(bob, ann)) == .blockChanged)
        #expect(await bench.ask(message(ann, "4")).seqs == [4])
        #expect(try await hidden() == [3: ["bob"]])
    }

    @Test func theBusCarriesFromWhomAnEntryIsHiddenAndWhoIsToldOfIt() async throws {
        await block()
        #expect(bench.bus.events == [.hidingChanged(talk, of: ann)])
        bench.bus.forget()
        _ = await bench.ask(message(ann, "3"))
        _ = await bench.ask(message(bob, "4"))
        let told = bench.bus.events.map { event in
            guard case .entries(let entries) = event else { return "\(event)" }
            return "\(entries.map { "\($0.seq.rawValue)\($0.hiddenFrom.map(\.name))" })"
        }
        #expect(told[0].contains("3") && told[0].contains("bob") && told[2].contains("4[]"))
        #expect(bench.bus.events[1] == .active(talk, members: [ann]), "no activity for the one who has blocked")
        #expect(bench.bus.events[3] == .active(talk, members: [ann, bob]))
        #expect(try await state(ann).hiddenFrom == [bob])
        #expect(try await state(bob).hiddenFrom.isEmpty)
    }

    @Test func aRepeatedSendKeepsWhatTheFirstOneDecided() async throws {
        #expect(await bench.ask(message(ann, "3")).seqs == [3])
        await block()
        #expect(await bench.ask(message(ann, "3")).stored?.first?.duplicate == true)
        #expect(await bench.ask(message(ann, "4")).seqs == [4])
        await unblock()
        #expect(await bench.ask([message(ann, "4"), message(ann, "5")]).map(\.seqs) == [[4], [5]])
        #expect(try await hidden() == [4: ["bob"]])
    }

    // MARK: Counters and cursors

    @Test func hiddenEntriesNeverCount() async throws {
        #expect(try await unread(bob) == [1, 1, 0])
        await block()
        for n in 3...6 { #expect(await bench.ask(message(ann, "\(n)")).seqs == [UInt64(n)]) }
        #expect(try await unread(bob) == [1, 1, 0])
        #expect(try await unread(ann) == [1, 1, 0], "Bob's message")
        // Counters that go on from a stored row, and those that are counted anew.
        #expect(try await read(.delivered(Seq(4))).counters.unread == 1)
        _ = await bench.ask(message(ann, "7"))
        #expect(try await unread(bob) == [1, 1, 0])
        let seen = try await read(.seen(Seq(7))).counters
        #expect(seen == Counters(unread: 1, unseen: 0, urgent: 0))
        await unblock()
        _ = await bench.ask(message(ann, "8"))
        #expect(try await unread(bob) == [2, 1, 0])
    }

    @Test func hiddenEntriesBecomeReadWhereTheyTouchOneThatIs() async throws {
        await block()
        for n in 3...5 { _ = await bench.ask(message(ann, "\(n)")) }
        await unblock()
        _ = await bench.ask(message(ann, "6"))
        _ = try await read(.read(.set([Seq(1)])))
        let state = try await read(.read(.set([Seq(6)])))
        #expect(state.cursor.read == Seq(6) && state.cursor.readAlso.isEmpty && state.counters == Counters())
    }

    @Test func versionsDoNotFall() async throws {
        var versions = [try await state(bob).version]
        await block()
        _ = await bench.ask(message(ann, "3"))
        versions.append(try await state(bob).version)
        versions.append(try await read(.read(.upTo(Seq(2)))).version)
        _ = await bench.ask(change(.retraction, 3, "r"))
        versions.append(try await state(bob).version)
        versions.append(try await read(.read(.upTo(Seq(4)))).version)
        #expect(versions == versions.sorted())
        #expect(try await unread(bob) == [0, 0, 0])
    }

    // MARK: What the blocked user can tell by

    @Test func aReceiptDoesNotReachWhatIsHidden() async throws {
        _ = try await read(.read(.upTo(Seq(2))))
        #expect(try await bobAsToldToAnn() == [2, 2])
        await block()
        for n in 3...4 { _ = await bench.ask(message(ann, "\(n)")) }
        bench.bus.forget()
        let moved = try await read(.read(.upTo(Seq(4))))
        #expect(moved.cursor.read == Seq(4), "Bob's own devices know")
        guard case .moved(let cursor)? = bench.bus.events.first else { return #expect(bench.bus.events.count == 1) }
        #expect(!cursor.isProgress && cursor.told == MemberProgress(bob, delivered: Seq(2), read: Seq(2)))
        #expect(try await bobAsToldToAnn() == [2, 2])
        await unblock()
        #expect(try await bobAsToldToAnn() == [2, 2], "the end of a block is no news")
        _ = await bench.ask(message(ann, "5"))
        bench.bus.forget()
        _ = try await read(.delivered(Seq(5)))
        guard case .moved(let later)? = bench.bus.events.first else { return #expect(bench.bus.events.count == 1) }
        #expect(later.isProgress && later.told == MemberProgress(bob, delivered: Seq(5), read: Seq(4)))
    }

    @Test func progressUpToTheFirstHiddenEntryIsTold() async throws {
        await block()
        for n in 3...4 { _ = await bench.ask(message(ann, "\(n)")) }
        bench.bus.forget()
        _ = try await read(.read(.upTo(Seq(4))))
        guard case .moved(let cursor)? = bench.bus.events.first else { return #expect(bench.bus.events.count == 1) }
        #expect(cursor.isProgress && cursor.told == MemberProgress(bob, delivered: Seq(2), read: Seq(2)))
        _ = await bench.ask([message(bob, "5"), message(ann, "6")])
        #expect(try await bobAsToldToAnn() == [4, 4], "Bob has written himself since")
        _ = try await read(.read(.upTo(Seq(6))))
        #expect(try await bobAsToldToAnn() == [5, 5])
    }

    @Test func theBlockedUserGetsWhatAnAbsentReaderGives() async throws {
        func answers(_ opponent: UserID) async throws -> [String] {
            let opened = await bench.ask(.open(ann, with: opponent, context: "c", most: 9))
            let channel = try #require(opened.opened).channel
            var replies = [opened]
            for n in 1...3 { replies.append(await bench.ask(message(ann, "\(n)", in: channel))) }
            replies.append(await bench.ask(.state(ann, channel, entitled: false)))
            replies.append(await bench.ask(.open(ann, with: opponent, context: "c", most: 9)))
            replies.append(await bench.ask(.page(channel, after: nil, before: nil, limit: 1)))
            return replies.map { reply in
                if case .page(let entries, let head, let more) = reply { return "\(entries.map(\.draft.content)) \(head) \(more)" }
                if case .stored(let stored) = reply { return "\(stored[0].seq) \(stored[0].duplicate)" }
                guard let state = reply.opened ?? reply.state else { return "\(reply)" }
                let told = [state.head, state.cursor.read] + state.progress.map(\.delivered)
                return "\(told) \(state.counters) \(state.version) \(state.members.count)"
            }
        }
        await block()
        let (blocked, absent) = (try await answers(bob), try await answers(try user("cyd")))
        #expect(blocked == absent)
    }

    // MARK: Conversations

    @Test func aNewConversationOfABlockedUserIsSilent() async throws {
        await block()
        bench.bus.forget()
        let opened = await bench.ask(.open(ann, with: bob, context: "new", most: 9))
        guard case .opened(let new, created: true) = opened else { return #expect(opened == .blockChanged) }
        #expect(new.members == [ann, bob] && new.hiddenFrom == [bob])
        #expect(bench.bus.events.isEmpty, "no signal")
        func listed(_ user: UserID) async -> [Channel] {
            await bench.ask(.conversations(user, before: nil, most: 9)).snapshot?.map(\.channel) ?? []
        }
        func first() async -> Channel? { await bench.ask(.snapshot(bob, broadcasts: [], asked: [], most: 9)).snapshot?.last?.channel }
        _ = await bench.ask(message(ann, "1", in: new.channel))
        #expect(await listed(ann) == [new.channel, talk])
        #expect(await listed(bob) == [talk])
        #expect(await first() == talk)
        #expect(await bench.ask(.state(bob, new.channel, entitled: false)).state != nil, "Bob may use it all the same")
        await unblock()
        #expect(await listed(bob) == [talk])
        _ = await bench.ask(message(ann, "2", in: new.channel))
        #expect(await listed(bob) == [new.channel, talk])
    }

    @Test func aHiddenMessageDoesNotMoveTheConversationInTheList() async throws {
        let other = try #require(await bench.ask(.open(bob, with: try user("cyd"), context: nil, most: 9)).opened).channel
        _ = await bench.ask(message(bob, "1", in: other))
        await block()
        _ = await bench.ask(message(ann, "3"))
        func listed() async -> [Channel] { await bench.ask(.conversations(bob, before: nil, most: 9)).snapshot?.map(\.channel) ?? [] }
        #expect(await listed() == [other, talk])
        _ = await bench.ask(message(bob, "4"))
        #expect(await listed() == [talk, other])
    }

    @Test func whoOpensAConversationWithABlockedUserSeesIt() async throws {
        await block()
        bench.bus.forget()
        let new = try #require(await bench.ask(.open(bob, with: ann, context: "new", most: 9)).opened).channel
        #expect(await bench.ask(.conversations(bob, before: nil, most: 9)).snapshot?.map(\.channel) == [new, talk])
        #expect(bench.bus.events.count == 1, "Ann is told")
        _ = await bench.ask(message(ann, "1", in: new))
        #expect(try bench.cell("select hidden_from::text from hub.entry where source_id = '1' order by created_at desc limit 1") == "{bob}")
    }

    @Test func whoeverLeftAndComesBackIsStillBlocked() async throws {
        await block()
        #expect(await bench.ask(.leave(ann, talk)).state != nil)
        _ = await bench.ask(.open(ann, with: bob, context: nil, most: 9))
        #expect(await bench.ask(message(ann, "3")).seqs == [3])
        #expect(try await hidden() == [3: ["bob"]])
        // And Bob, whom the blocked user brings back.
        #expect(await bench.ask(.leave(bob, talk)).state != nil)
        bench.bus.forget()
        _ = await bench.ask(.open(ann, with: bob, context: nil, most: 9))
        #expect(bench.bus.events.isEmpty)
        #expect(await bench.ask(.conversations(bob, before: nil, most: 9)).snapshot == [])
    }

    // MARK: Changes

    @Test func anEditIsHiddenWithItsMessageAndADeletionOfWhatWasShownIsNot() async throws {
        #expect(await bench.ask(message(ann, "3")).seqs == [3])
        #expect(try await unread(bob) == [2, 2, 0])
        await block()
        #expect(await bench.ask(message(ann, "4")).seqs == [4])
        #expect(await bench.ask(change(.change, 1, "abuse")).seqs == [5])
        #expect(try await hidden() == [1: ["bob"], 4: ["bob"], 5: ["bob"]])
        #expect(try await unread(bob) == [1, 1, 0], "the message counts no more, because its new text is hidden")
        bench.bus.forget()
        #expect(await bench.ask(change(.retraction, 4, "d4")).seqs == [6])
        #expect(bench.bus.events.last == .active(talk, members: [ann]))
        #expect(await bench.ask(change(.retraction, 3, "d3")).seqs == [7])
        #expect(bench.bus.events.last == .active(talk, members: [ann, bob]))
        #expect(try await hidden() == [1: ["bob"], 4: ["bob"], 5: ["bob"], 6: ["bob"]])
        #expect(try await unread(bob) == [0, 0, 0])
        #expect(await bench.ask(change(.retraction, 4, "d4")).stored?.first?.duplicate == true)
    }

    @Test func anEditOfWhatWasCountedIsCountedAnew() async throws {
        #expect(try await read(.delivered(Seq(2))).counters.unread == 1)
        await block()
        _ = await bench.ask(change(.change, 1, "abuse"))
        #expect(try await unread(bob) == [0, 0, 0])
        #expect(try await read(.delivered(Seq(3))).counters == Counters())
    }
}
