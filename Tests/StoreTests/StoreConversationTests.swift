import Bus
import HangGuard
import Messaging
import Telemetry
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreConversationTests {
    @Test func bothSidesAtOnceOpenTheSameConversation() async throws {
        let first = try await StoreBench().ready()
        let second = try await StoreBench(first.address).ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let replies = await withTaskGroup(of: [StoreReply].self) { group in
            for bench in [first, second] {
                for side in [(ann, bob), (bob, ann)] {
                    group.addTask { await bench.ask((0..<10).map { _ in .open(side.0, with: side.1, context: nil, most: 100) }) }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        let states = replies.compactMap(\.opened)
        #expect(states.count == 40)
        #expect(Set(states.map(\.channel)).count == 1)
        #expect(states.allSatisfy { $0.members == [ann, bob] })
        #expect(replies.filter { if case .opened(_, created: true) = $0 { true } else { false } }.count == 1)
        #expect(try first.cell("select count(*) from hub.channel") == "1")
        #expect(try first.cell("select count(*) from hub.member") == "2")
        let announcements = (first.bus.events + second.bus.events).filter { if case .opened = $0 { true } else { false } }
        #expect(announcements.count == 1)
        let id = try #require(try first.cell("select id from hub.conversation"))
        #expect(states[0].channel.storedName == "conversation:" + id)
        #expect(Array(id)[14] == "4", "a version 4 UUID")
    }

    @Test func aUserWhoLeavesIsRemovedAndToldOnce() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let opened = await bench.ask([.open(ann, with: bob, context: nil, most: 100)])
        let channel = try #require(opened.first?.opened?.channel)
        bench.bus.forget()
        let nowhere = Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-000000000001")!
        let replies = await bench.ask([.leave(ann, channel), .leave(eve, channel), .leave(ann, nowhere)])
        #expect(replies == [.state(ChannelState(channel: channel)), .failed(.forbidden), .failed(.forbidden)])
        #expect(bench.bus.events == [.withdrawn(channel, from: ann)])
        let after = await bench.ask([
            .leave(ann, channel), .state(ann, channel, entitled: false), .append(draft(channel, "1", source: "user:ann", sender: ann)),
            .append(draft(channel, "2", source: "user:bob", sender: bob)),
        ])
        #expect(after[..<3].allSatisfy { $0 == .failed(.forbidden) })
        #expect(after[3].seqs == [1], "the other member stays")
        bench.bus.forget()
        let again = await bench.ask([.open(bob, with: ann, context: nil, most: 100), .open(bob, with: ann, context: nil, most: 100)])
        for reply in again { #expect(reply.opened?.channel == channel && reply.opened?.members == [ann, bob]) }
        #expect(bench.bus.events.count { if case .opened = $0 { true } else { false } } == 1, "both are told once")
    }

    @Test func aContextMakesAnotherConversation() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let contexts = [nil, "review:1", "review:2", "", "review:1"]
        let channels = await bench.ask(contexts.map { .open(ann, with: bob, context: $0, most: 100) }).map { $0.opened?.channel }
        #expect(Set(channels).count == 3)
        #expect(channels[0] == channels[3] && channels[1] == channels[4])
    }

    @Test func namesThatOnlyLookTheSameAreDifferentUsers() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let (composed, decomposed) = (try user("jose\u{301}"), try user("jos\u{e9}"))
        let replies = await bench.ask([
            .open(ann, with: composed, context: nil, most: 100), .open(ann, with: decomposed, context: nil, most: 100),
        ])
        #expect(replies[0].opened?.channel != replies[1].opened?.channel)
        _ = await bench.ask(.ingest([draft(.inbox(composed), "1"), draft(.inbox(decomposed), "1")], []))
        let moves = await bench.ask([
            .move(composed, .inbox(composed), .delivered(Seq(1)), session: "s"),
            .move(decomposed, .inbox(decomposed), .seen(Seq(1)), session: "s"),
        ])
        #expect(moves.map { $0.moved?.cursor.seen } == [.zero, Seq(1)])
        #expect(try bench.cell("select count(*) from hub.cursor") == "2")
    }

    @Test("who opens a conversation has made it, whichever name comes first")
    func makers() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        for (opener, other) in [(ann, bob), (bob, ann)] {
            for isNew in [true, false] {
                let reply = await bench.ask(.open(opener, with: other, context: opener.name, most: 100))
                guard case .opened(_, let created) = reply else { return #expect(reply.opened != nil) }
                #expect(created == isNew)
            }
        }
    }

    @Test func onlyMembersCanWriteAndRead() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let channel = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        let nowhere = Channel.conversation(try #require(ConversationID("00000000-0000-4000-8000-000000000000")))
        let replies = await bench.ask([
            .append(draft(channel, "1", sender: ann)), .append(draft(channel, "1", source: "user:eve", sender: eve)),
            .append(draft(channel, "2", sender: bob)), .append(draft(nowhere, "1", sender: ann)), .append(draft(channel, "3")),
            .append(draft(channel, "1", sender: ann)),
        ])
        #expect(replies[0].seqs == [1])
        #expect(replies[1] == .failed(.forbidden))
        #expect(replies[2].seqs == [2])
        #expect(replies[3] == .failed(.forbidden))
        #expect(replies[4] == .failed(.forbidden), "nobody wrote it")
        #expect(replies[5].stored == [StoredDraft(seq: Seq(1), createdAt: replies[0].stored![0].createdAt, duplicate: true)])
        #expect(try bench.entries(channel) == ["1:1", "2:2"])

        let looks = await bench.ask([
            .state(ann, channel, entitled: false), .state(eve, channel, entitled: false), .state(eve, channel, entitled: true),
            .state(ann, nowhere, entitled: true), .state(eve, .inbox(ann), entitled: true), .state(ann, .inbox(ann), entitled: false),
            .move(eve, channel, .delivered(Seq(1)), session: "s"), .move(ann, nowhere, .delivered(Seq(1)), session: "s"),
        ])
        #expect(looks[0].state?.counters == Counters(unread: 1, unseen: 1, urgent: 0), "one's own message is not unread")
        #expect(looks[0].state?.members == [ann, bob])
        for index in [1, 2, 3, 4, 6, 7] { #expect(looks[index] == .failed(.forbidden), "\(index)") }
        #expect(looks[5].state == ChannelState(channel: .inbox(ann)))
    }

    @Test func onlyEntitledUsersAndMembersCanReadABroadcast() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let (review, activity) = (Channel.broadcast("category:reviewers"), Channel.broadcast("activity:7"))
        _ = await bench.ask(.ingest([draft(review, "1"), draft(activity, "1"), draft(activity, "2", priority: .high)], []))
        #expect(await bench.ask(.state(ann, review, entitled: false)) == .failed(.forbidden))
        #expect(await bench.ask(.state(ann, review, entitled: true)).state?.head == Seq(1))
        #expect(await bench.ask(.state(ann, .broadcast("category:none"), entitled: true)).state?.head == .zero)
        #expect(await bench.ask(.state(ann, .broadcast("category:none"), entitled: false)) == .failed(.forbidden))
        _ = try bench.query(
            "insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel where name = 'broadcast:activity:7'")
        #expect(await bench.ask(.state(ann, activity, entitled: false)).state?.counters == Counters(unread: 2, unseen: 2, urgent: 1))
    }

    @Test func aSnapshotHasAllChannelsOfTheUserAndNoOthers() async throws {
        let bench = try await StoreBench().ready()
        let people = try (0..<300).map { try user("user \($0)") }
        _ = await bench.ask(.ingest(people.map { draft(.inbox($0), "welcome") } + [draft(.broadcast("system"), "1")], []))
        // Everybody talks with the next one.
        let opened = await bench.ask(people.indices.map { .open(people[$0], with: people[($0 + 1) % 300], context: nil, most: 100) })
        let conversations = opened.compactMap { $0.opened?.channel }
        #expect(conversations.count == 300)
        let before = bench.store.statistics.transactions.value
        let snapshots = await bench.ask(people.map { .snapshot($0, broadcasts: ["system", "institution:x"], asked: [], most: 256) })
        #expect(bench.store.statistics.transactions.value - before < 10, "many connects, few round trips")
        for (index, reply) in snapshots.enumerated() {
            let states = try #require(reply.snapshot)
            #expect(states.prefix(3).map(\.channel) == [.inbox(people[index]), .broadcast("system"), .broadcast("institution:x")])
            #expect(Set(states.dropFirst(3).map(\.channel)) == [conversations[index], conversations[(index + 299) % 300]])
            #expect(states.map(\.head.rawValue) == [1, 1, 0, 0, 0])
            #expect(states.map(\.counters.unread) == [1, 1, 0, 0, 0])
        }
    }

    @Test func everyAnswerAboutAConversationHasThePositionsOfItsMembers() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let channel = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        _ = await bench.ask((1...5).map { .append(draft(channel, "\($0)", source: "user:ann", sender: ann)) })
        _ = await bench.ask(.move(bob, channel, .delivered(Seq(4)), session: "s"))
        _ = await bench.ask(.move(bob, channel, .read(.upTo(Seq(2))), session: "s"))
        let expected = [MemberProgress(ann, delivered: .zero, read: .zero), MemberProgress(bob, delivered: Seq(4), read: Seq(2))]
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.progress == expected)
        #expect(await bench.ask(.open(bob, with: ann, context: nil, most: 100)).opened?.progress == expected)
        let snapshot = try #require(await bench.ask(.snapshot(ann, broadcasts: ["system"], asked: [], most: 256)).snapshot)
        #expect(snapshot.map(\.progress) == [[], [], expected])
    }

    @Test func aBroadcastByRightAndByMembershipIsListedOnce() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(.ingest([draft(.broadcast("system"), "1")], []))
        _ = try bench.query("insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel")
        let states = await bench.ask(.snapshot(try user("ann"), broadcasts: ["system"], asked: [], most: 256)).snapshot
        #expect(states?.map(\.channel) == [try inbox("ann"), .broadcast("system")])
    }

    @Test func theConversationsOfTwoUsersAreLimited() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let first = await bench.ask(
            (0..<4).map { .open($0 % 2 == 0 ? ann : bob, with: $0 % 2 == 0 ? bob : ann, context: "\($0)", most: 3) })
        #expect(first.map { $0.opened != nil } == [true, true, true, false])
        #expect(first[3] == .failed(.tooManyConversations))
        let later = await bench.ask([
            .open(ann, with: bob, context: "1", most: 3), .open(bob, with: ann, context: "new", most: 3),
            .open(eve, with: bob, context: "new", most: 3),
        ])
        let more = await bench.ask(["two more", "three more"].map { .open(ann, with: bob, context: $0, most: 4) })
        #expect(later[0].opened?.channel == first[1].opened?.channel, "what is there is found")
        #expect(later[1] == .failed(.tooManyConversations))
        #expect(later[2].opened != nil, "others are not concerned")
        #expect(more.map { $0.opened != nil } == [true, false])
        #expect(try bench.cell("select count(*) from hub.conversation") == "5")
    }

    @Test func conversationsThatAUserOpensAtOnceAreLimited() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let orders = try ["bob", "cat", "dan"].map { StoreRequest.open(ann, with: try user($0), context: nil, most: 100, ofUser: 2) }
        let replies = await bench.ask(orders)
        #expect(replies.count { if case .opened = $0 { true } else { false } } == 2)
        #expect(replies.last == .failed(.tooManyConversations))
        #expect(try bench.cell("select count(*) from hub.conversation") == "2")
    }

    @Test func aSnapshotListsTheNewestAndTheRequestedConversations() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let opened = await bench.ask((0..<6).map { .open(ann, with: bob, context: "\($0)", most: 100) }).compactMap { $0.opened?.channel }
        try #require(opened.count == 6)
        _ = try bench.query(
            """
            update hub.channel c set created_at = now() - interval '1 day' + v.context::int * interval '1 second'
            from hub.conversation v where c.name = 'conversation:' || v.id;
            update hub.member m set active_at = c.created_at from hub.channel c where c.id = m.channel_id;
            insert into hub.channel (name, kind) values ('broadcast:activity:7', 'broadcast');
            insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel where name = 'broadcast:activity:7'
            """)
        _ = await bench.ask(.append(draft(opened[1], "1", source: "user:ann", sender: ann)))
        let foreign = try #require(await bench.ask(.open(bob, with: eve, context: nil, most: 100)).opened).channel
        let replies = await bench.ask([
            .snapshot(ann, broadcasts: ["system"], asked: [opened[0], foreign, opened[5]], most: 4),
            .snapshot(ann, broadcasts: [], asked: [], most: 7), .snapshot(eve, broadcasts: [], asked: [.inbox(ann)], most: 1),
        ])
        guard case .snapshot(let states, more: true) = replies[0], case .snapshot(let all, more: false) = replies[1],
            case .snapshot(let others, more: false) = replies[2]
        else { throw StoreFailure.refused("other answers") }
        let activity = Channel.broadcast("activity:7")
        #expect(states.prefix(4).map(\.channel) == [.inbox(ann), .broadcast("system"), opened[0], opened[5]])
        #expect(Set(states.dropFirst(4).map(\.channel)) == [activity, opened[1], opened[4]], "a broadcast, then by the newest entry")
        #expect(Set(all.map(\.channel)) == Set(opened + [.inbox(ann), activity]))
        #expect(others.map(\.channel) == [.inbox(eve), foreign])
    }

    @Test func conversationsAreListedFromTheNewestPageByPage() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let opened = await bench.ask((0..<7).map { .open(ann, with: bob, context: "\($0)", most: 100) }).compactMap { $0.opened?.channel }
        try #require(opened.count == 7)
        _ = try bench.query(
            """
            update hub.channel c set created_at = now() - interval '1 day' + v.context::int / 2 * interval '1 second'
            from hub.conversation v where c.name = 'conversation:' || v.id;
            update hub.member m set active_at = c.created_at from hub.channel c where c.id = m.channel_id;
            insert into hub.channel (name, kind) values ('broadcast:activity:7', 'broadcast');
            insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel where kind = 'broadcast'
            """)
        _ = await bench.ask(.append(draft(opened[2], "1", source: "user:ann", sender: ann)))
        var pages: [[Channel]] = []
        var before: Channel?
        while pages.count < 9 {
            guard case .snapshot(let states, let more) = await bench.ask(.conversations(ann, before: before, most: 3)) else { break }
            pages.append(states.map(\.channel))
            before = states.last?.channel
            if !more { break }
        }
        #expect(pages.map(\.count) == [3, 3, 1])
        let listed = pages.flatMap(\.self)
        #expect(listed.first == opened[2] && Set(listed) == Set(opened))
        let ages = listed.dropFirst().compactMap { opened.firstIndex(of: $0).map { $0 / 2 } }
        #expect(ages == ages.sorted(by: >))
        // A list that connect cut goes on the same way.
        guard case .snapshot(let first, more: true) = await bench.ask(.snapshot(ann, broadcasts: [], asked: [], most: 4)),
            case .snapshot(let rest, more: false) = await bench.ask(.conversations(ann, before: first.last?.channel, most: 9))
        else { throw StoreFailure.refused("other answers") }
        #expect(first.dropFirst(2).map(\.channel) + rest.map(\.channel) == listed)
        let foreign = try #require(await bench.ask(.open(bob, with: try user("eve"), context: nil, most: 9)).opened).channel
        #expect(await bench.ask(.conversations(ann, before: foreign, most: 9)) == .snapshot([], more: false))
    }

    @Test func aSecondHubOnTheSameDatabaseIsDetected() async throws {
        let first = try await StoreBench().ready()
        try await until { first.store.statistics.transactions.value > 0 }
        #expect(first.store.statistics.otherHubs.value == 0)
        let second = try await StoreBench(first.address).ready()
        try await until { second.store.statistics.otherHubs.value == 1 }
        // The one that was there first finds out as well.
        try await until { first.store.statistics.otherHubs.value == 1 }
        first.store.stop()
        // As a hub that was started anew while the server still kept its dead connection.
        try await until { second.store.statistics.otherHubs.value == 0 }
    }

    @Test func withABoundOfZeroAConversationIsFoundButNotMade() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let made = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        #expect(await bench.ask(.open(bob, with: ann, context: nil, most: 0)).opened?.channel == made)
        #expect(await bench.ask(.open(ann, with: eve, context: nil, most: 0)) == .failed(.tooManyConversations))
        // Beside an order that may make it, it is found.
        let both = await bench.ask([.open(ann, with: eve, context: nil, most: 0), .open(eve, with: ann, context: nil, most: 100)])
        #expect(both.allSatisfy { $0.opened != nil })
        #expect(try bench.cell("select count(*) from hub.conversation") == "2")
    }
}
