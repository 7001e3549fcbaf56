import Auth
import HangGuard
import Linux
import Messaging
import Pacing
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Sessions

@Suite("The pace of a user's commands", .guarded)
struct CommandPacesTests {
    private static let talk = Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-000000000001")!
    private static let other = Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-000000000002")!

    /// So slow that no token comes back during a test.
    private func slow(_ burst: Int) -> Pace { Pace(perSecond: 1, burst: burst) }

    private func bench(_ adjust: (inout PaceLimits) -> Void) throws -> SessionBench { try SessionBench { adjust(&$0.paces) } }

    private func ping(_ id: Int) -> String { #"{"id":\#(id),"type":"ping"}"# }
    private func limited(_ bench: SessionBench, _ key: SessionID) -> [String] {
        bench.clients.texts(key).filter { $0.contains(#""code":"rate_limited""#) }
    }

    @Test("commands beyond the burst are refused, with the time after which one is accepted")
    func commands() throws {
        let bench = try bench { $0.commands = slow(20) }
        let (ann, bob) = (try bench.connect("ann"), try bench.connect("bob"))
        let again = try bench.connect("ann")
        bench.clients.forget()
        for id in 1...19 { bench.say(ann, ping(id)) }
        #expect(limited(bench, ann).isEmpty)
        bench.say(again, ping(20), ping(21))
        #expect(limited(bench, again).count == 1, "all sessions of a user share the bound")
        let refusal = try #require(limited(bench, again).first)
        #expect(refusal.hasPrefix(#"{"re":21,"#) && refusal.contains(#""temporary":true"#))
        let start = try #require(refusal.firstRange(of: #""retryAfterMs":"#)).upperBound
        let wait = try #require(Int(String(refusal[start...].prefix { $0.isNumber })))
        #expect((1...1_000).contains(wait))
        bench.say(ann, ping(22))
        #expect(limited(bench, ann).count == 1)
        bench.say(bob, ping(1))
        #expect(limited(bench, bob).isEmpty, "another user is not held back")
    }

    @Test("acks, and lines that cannot be read, count as commands")
    func everyLine() throws {
        let bench = try bench { $0.commands = slow(2) }
        let ann = try bench.connect("ann")
        for id in [2, 4] { bench.say(ann, "garbage", #"{"id":\#(id),"type":"ack","channel":"inbox","seq":1}"#) }
        #expect(limited(bench, ann).count == 1, "a line without an id is dropped without an answer")
        #expect(bench.sessions.state.metrics.rateLimited.values.map(\.count) == [2])
    }

    @Test("a command that costs more counts as several")
    func costs() throws {
        func cost(_ line: String) -> Int {
            var cost = 0
            ClientCommand.parse(Array(line.utf8).span, limits: CommandLimits()) { cost = $0.cost }
            return cost
        }
        let seqs = (1...400).map(String.init).joined(separator: ",")
        #expect(cost(#"{"type":"ping"}"#) == 1)
        #expect(cost(#"{"type":"history","channel":"inbox"}"#) == 5)
        #expect(cost(#"{"type":"mark-read","channel":"inbox","seqs":[\#(seqs)]}"#) == 21)
        #expect(cost(#"{"type":"mark-unread","channel":"inbox","seqs":[\#(seqs)]}"#) == 21)
        #expect(cost("no JSON") == 1)
    }

    @Test("a client that does not slow down is disconnected with 4102, and cannot come back at once")
    func persistent() throws {
        let bench = try bench {
            $0.commands = slow(20)
            $0.refusals = slow(5)
        }
        let ann = try bench.connect("ann")
        for id in 1...25 { bench.say(ann, ping(id)) }
        #expect(bench.clients.closed[ann] == nil)
        bench.say(ann, ping(26), ping(27))
        #expect(bench.clients.closed[ann] == .rateLimited)
        #expect(limited(bench, ann).count == 6, "nothing is answered behind the end")
        bench.sessions.close(ann)
        let again = bench.open()
        bench.say(again, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        #expect(bench.store.take().isEmpty)
        #expect(limited(bench, again).count == 1)
        #expect(bench.clients.closed[again] == .rateLimited)
        #expect(bench.sessions.state.metrics.closes.values.map(\.label) == ["rate_limited"])
    }

    @Test("who connects and leaves again and again must wait to connect; who stays costs no memory")
    func connects() throws {
        let bench = try bench { $0.commands = slow(20) }
        for _ in 1...2 {
            let ann = try bench.connect("ann")
            #expect(bench.sessions.paces.activeUsers <= 1)
            bench.sessions.close(ann)
        }
        let ann = bench.open()
        bench.say(ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        #expect(bench.store.take().isEmpty)
        #expect(limited(bench, ann).count == 1)
        #expect(bench.clients.closed[ann] == nil, "it may try again on the same connection")
        _ = try bench.connect("bob")
        #expect(bench.sessions.paces.activeUsers == 1, "bob has done nothing but connect")
    }

    @Test("messages are bounded for each user, and for each conversation")
    func sends() throws {
        let bench = try bench {
            $0.sends = slow(5)
            $0.sendsOfPair = slow(3)
        }
        let ann = try bench.connect("ann")
        func send(_ id: Int, to channel: Channel) {
            bench.say(ann, #"{"id":\#(id),"type":"send","channel":"\#(channel.wireName)","key":"\#(id)","body":"x"}"#)
        }
        for id in 1...4 { send(id, to: Self.talk) }
        bench.turn()
        #expect(bench.store.take().count == 3)
        #expect(limited(bench, ann).map { $0.hasPrefix(#"{"re":4,"#) } == [true])
        for id in 5...7 { send(id, to: Self.other) }
        bench.turn()
        #expect(bench.store.take().count == 2, "what one conversation refused does not count for the others")
        #expect(limited(bench, ann).count == 2)
        #expect(bench.sessions.state.metrics.rateLimited.values.map(\.label) == ["pair", "sends"])
    }

    @Test("a message to a user is bounded like one to a conversation, once the conversation is known")
    func sendsToUsers() throws {
        let bench = try bench { $0.sendsOfPair = slow(1) }
        let ann = try bench.connect("ann")
        for id in 1...2 {
            bench.say(ann, #"{"id":\#(id),"type":"send","to":"bob","key":"\#(id)","body":"x"}"#)
            bench.turn()
            bench.answer(try #require(bench.store.take().last), .opened(ChannelState(channel: Self.talk), created: id == 1))
            #expect(bench.store.take().count == (id == 1 ? 1 : 0))
        }
        #expect(limited(bench, ann).count == 1)
    }

    @Test("only new conversations count; a failed attempt does not")
    func conversations() throws {
        let bench = try bench { $0.newConversations = slow(2) }
        let ann = try bench.connect("ann")
        func open(_ reply: StoreReply) throws {
            bench.say(ann, #"{"id":1,"type":"open","with":"bob"}"#)
            bench.turn()
            bench.answer(try #require(bench.store.take().first), reply)
        }
        for _ in 1...5 { try open(.opened(ChannelState(channel: Self.talk), created: false)) }
        for _ in 1...5 { try open(.failed(.unavailable)) }
        for _ in 1...2 { try open(.opened(ChannelState(channel: Self.talk), created: true)) }
        bench.clients.forget()
        bench.say(
            ann, #"{"id":1,"type":"open","with":"eve"}"#, #"{"id":2,"type":"send","to":"eve","key":"k","body":"x"}"#,
            #"{"id":3,"type":"open","with":"bob"}"#)
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.count == 3)
        let replies: [StoreReply] = [
            .failed(.tooManyConversations), .failed(.tooManyConversations), .opened(ChannelState(channel: Self.talk), created: false),
        ]
        for (order, reply) in zip(orders, replies) {
            guard case .open(_, with: _, context: _, most: 0, ofUser: _) = order.request else {
                Issue.record("may be created: \(order.request)")
                continue
            }
            bench.answer(order, reply)
        }
        #expect(limited(bench, ann).count == 2)
        #expect(bench.clients.texts(ann).contains { $0.hasPrefix(#"{"re":3,"ok""#) }, "one that exists is found all the same")
    }

    @Test("history is bounded by the bytes of its replies")
    func history() throws {
        let bench = try bench { $0.historyBytes = slow(1_000) }
        let ann = try bench.connect("ann", following: [ChannelState(channel: try inbox("ann"), head: Seq(9))])
        let history = #"{"id":1,"type":"history","channel":"inbox"}"#
        let entry = Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft(try inbox("ann"), "1"))
        var asked = 0
        while asked < 50 {
            bench.say(ann, history)
            bench.turn()
            guard let order = bench.store.take().first else { break }
            asked += 1
            bench.answer(order, .page([entry], head: Seq(9), more: true))
        }
        let length = try #require(bench.clients.texts(ann).first { $0.contains("entries") }).utf8.count
        #expect(asked == (1_000 + length - 1) / length)
        #expect(limited(bench, ann).count == 1)
    }

    @Test("typing signals are bounded over all conversations and sessions")
    func typing() throws {
        let bench = try bench { $0.typing = slow(1) }
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.talk), ChannelState(channel: Self.other)])
        for channel in [Self.talk, Self.other] { bench.say(ann, #"{"id":1,"type":"typing","channel":"\#(channel.wireName)"}"#) }
        bench.turn()
        #expect(bench.bus.events.count == 1)
        #expect(limited(bench, ann).count == 1)
    }

    @Test("tokens that fail are bounded; good ones are not")
    func refreshes() throws {
        let bench = try bench { $0.refreshFailures = slow(2) }
        let ann = try bench.connect("ann")
        for id in 1...5 { bench.say(ann, #"{"id":\#(id),"type":"refresh","token":"\#(try bench.token("ann"))"}"#) }
        #expect(bench.clients.texts(ann).count { $0.contains("tokenExpiresAt") } == 5)
        for id in 6...8 { bench.say(ann, #"{"id":\#(id),"type":"refresh","token":"\#(try bench.token("ann", lifetime: -600))"}"#) }
        #expect(bench.clients.texts(ann).count { $0.contains("token_expired") } == 2)
        #expect(limited(bench, ann).count == 1)
    }

    @Test("a pace of 0 is no bound")
    func unbounded() throws {
        let bench = try bench { $0.commands = .unbounded }
        let ann = try bench.connect("ann")
        for id in 1...500 { bench.say(ann, ping(id)) }
        #expect(limited(bench, ann).isEmpty)
    }
}

@Suite("The table of those who were active lately", .guarded)
struct RecentTableTests {
    @Test("a value is kept for one to two periods without use")
    func periods() {
        var table = RecentTable<String, Int>()
        func use(_ key: String) -> Int {
            table.change(key, orNew: 0) {
                $0 += 1
                return $0
            }
        }
        #expect(use("a") == 1)
        #expect(use("b") == 1)
        table.beginPeriod()
        #expect(use("a") == 2)
        #expect(table["b"] == 1 && table.count == 2)
        table.beginPeriod()
        #expect(table["b"] == nil && table.count == 1)
        #expect(use("a") == 3)
        table.beginPeriod()
        table.beginPeriod()
        #expect(table.isEmpty)
        #expect(use("a") == 1)
    }

    @Test("it holds at most twice as many values as a period may have")
    func bound() {
        var table = RecentTable<Int, Int>(most: 10)
        for key in 0..<1_000 { table.change(key, orNew: key) { _ in } }
        #expect(table.count <= 20)
        #expect(table[999] == 999)
    }
}
