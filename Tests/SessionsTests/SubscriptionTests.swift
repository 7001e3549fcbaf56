import Bus
import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Which channels a session follows, and what it is told about them", .guarded)
struct SubscriptionTests {
    private let system = SessionLoopTests.system

    private func state(_ channel: Channel, head: UInt64 = 4, unread: UInt32) -> ChannelState {
        ChannelState(channel: channel, head: Seq(head), counters: Counters(unread: unread, unseen: 1))
    }

    private func connect(_ bench: SessionBench, _ channels: String, _ states: [ChannelState]) throws -> (id: SessionID, reply: String) {
        let id = bench.open()
        bench.say(id, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[\#(channels)]}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot(states, more: false))
        return (id, try #require(bench.clients.texts(id).first))
    }

    /// Turns the loop until the session was sent a frame that begins like this; the frame.
    private func hear(_ bench: SessionBench, _ id: SessionID, _ start: String) async throws -> String {
        try await until {
            bench.turn()
            return bench.clients.texts(id).contains { $0.hasPrefix(start) }
        }
        return try #require(bench.clients.texts(id).last { $0.hasPrefix(start) })
    }

    @Test("the totals of the followed channels are told by connect, and again when a channel with numbers comes or goes")
    func totals() async throws {
        let bench = try SessionBench()
        let inbox = Channel.inbox(try user("ann"))
        let (ann, reply) = try connect(
            bench, #"{"channel":"inbox"}"#, [state(inbox, unread: 3), state(system, unread: 5)])
        #expect(reply.contains(#""totals":{"unread":3,"unseen":1,"urgent":0}"#))
        bench.clients.forget()

        let secret = SessionLoopTests.secret
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"\#(secret.wireName)"}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .state(state(secret, unread: 5)))
        let more = #"{"type":"counters","version":1,"channels":[],"totals":{"unread":8,"unseen":2,"urgent":0}}"#
        #expect(try await hear(bench, ann, #"{"type":"counters"#) == more)
        bench.clients.forget()

        bench.say(ann, #"{"id":3,"type":"unsubscribe","channel":"inbox"}"#)
        let fewer = #"{"type":"counters","version":2,"channels":[],"totals":{"unread":5,"unseen":1,"urgent":0}}"#
        #expect(try await hear(bench, ann, #"{"type":"counters"#) == fewer)
        bench.clients.forget()

        bench.hear(.withdrawn(secret, from: try user("ann")))
        #expect(try await hear(bench, ann, #"{"type":"counters"#).contains(#""version":3,"channels":[],"totals":{"unread":0,"#))
    }

    @Test("a client that does not read is told the totals when it reads again")
    func totalsOfACongestedClient() async throws {
        let bench = try SessionBench()
        let (ann, _) = try connect(bench, #"{"channel":"broadcast:system"}"#, [state(system, unread: 5)])
        let (bob, _) = try connect(bench, #"{"channel":"broadcast:system"}"#, [state(system, unread: 6)])
        bench.clients.congested = [ann]
        for id in [ann, bob] { bench.say(id, #"{"id":2,"type":"unsubscribe","channel":"broadcast:system"}"#) }
        _ = try await hear(bench, bob, #"{"type":"counters"#)
        #expect(!bench.clients.kinds(ann).contains("counters"))
        bench.clients.congested = []
        bench.sessions.drained(ann)
        #expect(try await hear(bench, ann, #"{"type":"counters"#).contains(#""totals":{"unread":0,"#))
    }

    @Test("with tail a subscription begins before the newest entries")
    func tail() throws {
        let bench = try SessionBench()
        let (ann, _) = try connect(bench, #"{"channel":"broadcast:system","tail":3}"#, [state(system, head: 10, unread: 0)])
        let page = try #require(bench.store.take().first)
        #expect(page.request == .page(system, after: Seq(7), before: nil, limit: 100))
        bench.answer(page, .page([], head: Seq(10), more: false))
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system","tail":5}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .state(state(system, head: 10, unread: 0)))
        #expect(bench.clients.texts(ann).contains { $0.hasPrefix(#"{"re":2,"ok""#) && $0.hasSuffix(#""since":5}}"#) })
    }

    @Test("a position beyond the head of a followed channel is refused, and the subscription goes on")
    func beyondTheHead() throws {
        let bench = try SessionBench()
        let (ann, _) = try connect(bench, #"{"channel":"broadcast:system"}"#, [state(system, head: 10, unread: 0)])
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system","since":11}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .state(state(system, head: 10, unread: 0)))
        #expect(bench.clients.texts(ann).last?.contains(#"{"re":2,"error":{"code":"position_unknown""#) == true)
        bench.hear(.entries([Entry(seq: Seq(11), createdAt: Timestamp(milliseconds: 0), draft: draft(system, "11"))]))
        #expect(bench.clients.seqs(ann) == [11])
    }

    @Test("channels beyond the limit do not fail connect, and neither do broadcasts of the token")
    func tooMany() throws {
        let bench = try SessionBench { $0.session.subscriptions = 2 }
        let (_, reply) = try connect(
            bench, #"{"channel":"inbox"},{"channel":"broadcast:system"},{"channel":"broadcast:a:b"}"#,
            [state(.inbox(try user("ann")), unread: 1), state(system, unread: 2)])
        #expect(reply.contains(#""refused":[{"channel":"broadcast:a:b","code":"limit_exceeded"}]"#))
        #expect(reply.contains(#""totals":{"unread":3,"#) && !reply.contains(#""more""#))
        let eve = bench.open()
        bench.say(eve, #"{"id":1,"type":"connect","token":"\#(try bench.token("eve", institution: "x"))"}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        #expect(bench.clients.texts(eve).first?.contains(#""more":true"#) == false, "system and the institution")
        let few = try SessionBench { $0.session.subscriptions = 1 }
        let max = few.open()
        few.say(max, #"{"id":1,"type":"connect","token":"\#(try few.token("max", institution: "x"))"}"#)
        few.turn()
        few.answer(try #require(few.store.take().first), .snapshot([], more: false))
        #expect(few.clients.texts(max).first?.contains(#""more":true"#) == true)
    }

    @Test("a position before the oldest entry is refused as too old, and tail begins there")
    func beforeTheFirst() throws {
        let bench = try SessionBench()
        var old = state(system, head: 10, unread: 0)
        old.first = Seq(6)
        let (ann, reply) = try connect(bench, #"{"channel":"broadcast:system","since":4}"#, [old])
        #expect(reply.contains(#""refused":[{"channel":"broadcast:system","code":"position_too_old"}]"#))
        #expect(reply.contains(#""head":10,"first":6,"#))
        for (id, since, answer) in [
            (2, "since\":4", #"{"re":2,"error":{"code":"position_too_old""#), (3, "since\":5", #"{"re":3,"ok":{"channel""#),
            (4, "since\":4", #"{"re":4,"error":{"code":"position_too_old""#), (5, "tail\":9", #"{"re":5,"ok":{"channel""#),
        ] {
            bench.clients.forget()
            bench.say(ann, #"{"id":\#(id),"type":"subscribe","channel":"broadcast:system","\#(since)}"#)
            bench.turn()
            let orders = bench.store.take()
            bench.answer(try #require(orders.first { if case .state = $0.request { true } else { false } }), .state(old))
            #expect(bench.clients.texts(ann).first?.hasPrefix(answer) == true, "\(id)")
        }
        #expect(bench.clients.texts(ann).first?.hasSuffix(#""since":5}}"#) == true, "\(bench.clients.texts(ann))")
        // A channel from which nothing was removed says nothing.
        let (_, other) = try connect(bench, #"{"channel":"broadcast:system","since":0}"#, [state(system, head: 10, unread: 0)])
        #expect(!other.contains("first") && !other.contains("refused"))
    }
}
