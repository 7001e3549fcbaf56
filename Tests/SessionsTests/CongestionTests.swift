import HangGuard
import Messaging
import Reactor
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Sessions

@Suite("Clients that do not read, and users who ask for much", .guarded)
struct CongestionTests {
    private func history(_ id: Int) -> String { #"{"id":\#(id),"type":"history","channel":"inbox"}"# }
    private func ping(_ id: Int) -> String { #"{"id":\#(id),"type":"ping"}"# }

    private func connect(_ bench: SessionBench, _ name: String) throws -> SessionID {
        try bench.connect(name, following: [ChannelState(channel: try inbox(name), head: Seq(9))])
    }

    private func page(_ name: String, bytes: Int) throws -> StoreReply {
        let content = #""title":"\#(String(repeating: "x", count: bytes))""#
        let entry = Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft(try inbox(name), "1", content: content))
        return .page([entry], head: Seq(9), more: true)
    }

    // MARK: Reading

    @Test("a client that does not read is not read until it does")
    func notRead() throws {
        let bench = try SessionBench()
        let ann = try connect(bench, "ann")
        bench.say(ann, ping(1))
        #expect(!bench.clients.paused.contains(ann))
        bench.clients.congested.insert(ann)
        bench.say(ann, ping(2))
        #expect(bench.clients.paused.contains(ann))
        bench.clients.congested.remove(ann)
        bench.sessions.drained(ann)
        #expect(!bench.clients.paused.contains(ann))
    }

    @Test("answered commands do not make a client be read that does not read, and reading does not while commands are unanswered")
    func bothReasons() throws {
        let bench = try SessionBench { $0.inFlight = 2 }
        let ann = try connect(bench, "ann")
        for id in 1...2 { bench.say(ann, #"{"id":\#(id),"type":"open","with":"bob"}"#) }
        bench.turn()
        #expect(bench.clients.paused.contains(ann))
        bench.clients.congested.insert(ann)
        let orders = bench.store.take()
        for order in orders.dropLast() { bench.answer(order, .failed(.unavailable)) }
        #expect(bench.clients.paused.contains(ann), "its client does not read")
        bench.clients.congested.remove(ann)
        bench.say(ann, #"{"id":3,"type":"open","with":"bob"}"#)
        bench.sessions.drained(ann)
        #expect(bench.clients.paused.contains(ann), "two commands are unanswered")
        bench.answer(try #require(orders.last), .failed(.unavailable))
        #expect(!bench.clients.paused.contains(ann))
    }

    // MARK: Pages

    @Test("one page of a session and eight of a user are read at once, and all in the end")
    func pagesOfAUser() throws {
        let bench = try SessionBench()
        let sessions = try (1...10).map { _ in try connect(bench, "ann") }
        let bob = try connect(bench, "bob")
        for key in sessions { bench.say(key, history(1), history(2)) }
        bench.say(bob, history(1))
        bench.turn()
        var orders = bench.store.take()
        #expect(orders.count == 9, "eight for ann, one for bob")
        var answered = 0
        while let order = orders.popLast() {
            bench.answer(order, try page("ann", bytes: 10))
            bench.turn()
            answered += 1
            orders += bench.store.take()
            #expect(orders.count <= 9)
        }
        #expect(answered == 21)
        for key in sessions + [bob] { #expect(bench.clients.texts(key).count { $0.contains("entries") } == (key == bob ? 1 : 2)) }
        #expect(bench.sessions.pages.waitingCount == 0)
    }

    @Test("no page is read for a client that does not read, until it does")
    func pagesOfACongestedSession() throws {
        let bench = try SessionBench()
        let (ann, again) = (try connect(bench, "ann"), try connect(bench, "ann"))
        bench.clients.congested.insert(ann)
        bench.say(ann, history(1))
        bench.say(again, history(1))
        bench.turn()
        #expect(bench.store.take().count == 1, "the user's other session is served")
        bench.clients.congested.remove(ann)
        bench.sessions.drained(ann)
        bench.turn()
        #expect(bench.store.take().count == 1)
    }

    @Test("who leaves too much unread is refused pages, and only they are")
    func unread() throws {
        let bench = try SessionBench { $0.unreadBytes = 1_000 }
        let (ann, again, bob) = (try connect(bench, "ann"), try connect(bench, "ann"), try connect(bench, "bob"))
        bench.clients.unsent = [ann: 600, again: 500]
        for key in [again, bob] { bench.say(key, history(1)) }
        bench.turn()
        #expect(bench.store.take().count == 1)
        #expect(bench.clients.texts(again).first?.contains(#""code":"rate_limited""#) == true)
        #expect(bench.sessions.state.metrics.rateLimited.values.map(\.label) == ["unread"])
        bench.clients.unsent = [ann: 400]
        bench.say(again, history(2))
        bench.turn()
        #expect(bench.store.take().count == 1)
        #expect(bench.sessions.state.table[again]?.inFlight == 1)
    }

    @Test("pages of an ended session are forgotten, and leave their place to others of the user")
    func endedSessions() throws {
        let bench = try SessionBench()
        let sessions = try (1...9).map { _ in try connect(bench, "ann") }
        for key in sessions { bench.say(key, history(1), history(2)) }
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.count == 8)
        for key in sessions.dropLast() { bench.sessions.close(key) }
        #expect(bench.sessions.pages.waitingCount == 2, "those of the session that is left")
        bench.answer(orders[0], try page("ann", bytes: 10))
        bench.turn()
        #expect(bench.store.take().count == 1)
        bench.sessions.close(sessions[8])
        #expect(bench.sessions.pages.waitingCount == 0)
        for order in orders[1...] { bench.answer(order, try page("ann", bytes: 10)) }
        let back = try connect(bench, "ann")
        bench.say(back, history(1))
        bench.turn()
        #expect(bench.store.take().count == 1)
    }

    @Test("a request over HTTP gets no further page once its answer is long")
    func exchanges() throws {
        let bench = try SessionBench()
        let ann = try connect(bench, "ann")
        var replies = ""
        let lines = (1...3).map(history).joined(separator: "\n")
        #expect(bench.sessions.message(ann, Array(lines.utf8).span) { replies = String(decoding: $0, as: UTF8.self) })
        bench.turn()
        bench.answer(try #require(bench.store.take().first), try page("ann", bytes: PageOrders.exchangeBytes))
        bench.turn()
        #expect(bench.store.take().isEmpty)
        let answers = replies.split(separator: "\n")
        #expect(answers.count == 3)
        #expect(answers.count { $0.contains(#""code":"rate_limited""#) } == 2)
    }

    @Test("a hub that is being stopped reads no waiting page")
    func leaving() throws {
        let bench = try SessionBench()
        let ann = try connect(bench, "ann")
        bench.say(ann, history(1), history(2))
        bench.turn()
        bench.sessions.leave(ann)
        #expect(bench.clients.closed[ann] == nil)
        bench.answer(try #require(bench.store.take().first), try page("ann", bytes: 10))
        #expect(bench.clients.closed[ann] == .draining)
        #expect(bench.clients.texts(ann).count { $0.contains(#"{"re":"#) } == 2)
    }

    // MARK: Turns

    @Test("a turn sends few large pages, and everything else goes ahead")
    func largePages() throws {
        let bench = try SessionBench()
        let names = ["ann", "bob", "eve"]
        let sessions = try names.map { try connect(bench, $0) }
        let dan = try connect(bench, "dan")
        for key in sessions { bench.say(key, history(1)) }
        bench.turn()
        let orders = bench.store.take()
        bench.say(dan, #"{"id":1,"type":"open","with":"bob"}"#)
        bench.turn()
        let open = try #require(bench.store.take().first)
        bench.clients.forget()
        let large = try zip(orders, names).map { StoreOutcome(token: $0.token, reply: try page($1, bytes: LargeOutcomes.turnBytes)) }
        bench.inbox.deliver(large + [StoreOutcome(token: open.token, reply: .failed(.forbidden))])
        for turn in 1...3 {
            bench.turn()
            #expect(bench.clients.texts(dan).count == 1)
            #expect(sessions.count { !bench.clients.texts($0).isEmpty } == turn)
        }
    }

    @Test("outcomes keep their order, and small ones do not wait")
    func order() throws {
        var outcomes = LargeOutcomes()
        let small = [StoreReply.failed(.forbidden), try page("ann", bytes: 10)]
        for reply in small {
            let isKept = outcomes.keeps(StoreOutcome(token: 0, reply: reply))
            #expect(!isKept)
        }
        var tokens: [UInt64] = []
        for token in 1...20 {
            let isKept = outcomes.keeps(StoreOutcome(token: UInt64(token), reply: try page("ann", bytes: 100_000)))
            #expect(isKept)
            if token.isMultiple(of: 4) { tokens += outcomes.takeTurn().map(\.token) }
        }
        while !outcomes.isEmpty { tokens += outcomes.takeTurn().map(\.token) }
        #expect(tokens == Array(1...20))
        let rest = outcomes.takeTurn()
        #expect(rest.isEmpty)
    }

    // MARK: Sessions of a user

    @Test("a user's sessions are bounded; another user's are not touched, and an ended one makes room")
    func sessionsOfAUser() throws {
        let bench = try SessionBench { $0.sessionsPerUser = 2 }
        let first = try connect(bench, "ann")
        _ = try connect(bench, "ann")
        func third() throws -> SessionID {
            let key = bench.open()
            bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
            bench.turn()
            return key
        }
        let refused = try third()
        #expect(bench.store.take().isEmpty)
        #expect(bench.clients.closed[refused] == .connectionLimit)
        #expect(bench.clients.texts(refused).first?.contains(#""code":"limit_exceeded""#) == true)
        bench.sessions.close(refused)
        _ = try connect(bench, "bob")
        bench.sessions.close(first)
        _ = try third()
        #expect(bench.store.take().count == 1)
    }
}
