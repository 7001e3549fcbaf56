import Auth
import Bus
import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("The sessions of a loop: how they begin and end", .guarded)
struct SessionLifeTests {
    // MARK: Before connect

    @Test("a client that sends commands without connect is answered a few times, then closed")
    func commandsWithoutConnect() throws {
        let bench = try SessionBench()
        let eve = bench.open()
        for id in 1...8 { bench.say(eve, #"{"id":\#(id),"type":"ping"}"#) }
        #expect(bench.clients.closed[eve] == nil)
        bench.say(eve, "garbage", #"{"id":10,"type":"ping"}"#)
        #expect(bench.clients.closed[eve] == .badFrame)
        #expect(bench.clients.texts(eve).count == 9, "nothing is answered behind the end")
    }

    @Test("a connect without a token counts as such a command")
    func emptyConnects() throws {
        let bench = try SessionBench()
        let eve = bench.open()
        for id in 1...9 { bench.say(eve, #"{"id":\#(id),"type":"connect"}"#) }
        #expect(bench.clients.closed[eve] == .badFrame)
    }

    @Test("a connected session is not closed for its mistakes")
    func mistakes() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        for id in 1...20 { bench.say(ann, #"{"id":\#(id),"type":"dance"}"#) }
        #expect(bench.clients.closed.isEmpty)
    }

    @Test("a session is connected only after the store has answered its connect")
    func connectedByTheStore() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        let connect = #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#
        bench.say(ann, connect)
        bench.turn()
        #expect(!bench.sessions.isConnected(ann))
        bench.answer(try #require(bench.store.take().first), .failed(.unavailable))
        #expect(!bench.sessions.isConnected(ann))
        bench.say(ann, connect)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        #expect(bench.sessions.isConnected(ann))
    }

    @Test("the store need not read what an ended session asked for")
    func openOrdersOfAnEndedSession() throws {
        let bench = try SessionBench()
        let (ann, eve) = (try bench.connect("ann"), try bench.connect("eve"))
        for id in 2...4 { bench.say(eve, #"{"id":\#(id),"type":"history","channel":"inbox"}"#) }
        bench.say(ann, #"{"id":2,"type":"history","channel":"inbox"}"#)
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.count == 4)
        let ofEve = Set(orders.filter { $0.user?.name == "eve" }.map(\.token))
        #expect(ofEve.count == 3)
        // One more leaves in the turn in which the session ends.
        bench.say(eve, #"{"id":5,"type":"history","channel":"inbox"}"#)
        bench.sessions.close(eve)
        bench.turn()
        let last = try #require(bench.store.take().first)
        #expect(bench.store.cancelled == ofEve.union([last.token]))
        for order in orders + [last] where order.user?.name == "eve" { bench.answer(order, .failed(.cancelled)) }
        #expect(bench.clients.texts(eve).isEmpty)
    }

    @Test("commands between a connect and its reply are refused, and the connect continues")
    func aheadOfTheReply() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        bench.say(
            ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#,
            #"{"id":2,"type":"send","to":"bob","key":"k","body":"hello"}"#, #"{"id":3,"type":"subscribe","channel":"inbox"}"#)
        bench.turn()
        let orders = bench.store.take()
        try #require(orders.count == 1)
        for id in 2...3 {
            #expect(bench.clients.texts(ann).contains { $0.hasPrefix(#"{"re":\#(id),"error":{"code":"not_connected""#) })
        }
        bench.answer(orders[0], .snapshot([], more: false))
        #expect(bench.sessions.isConnected(ann))
    }

    @Test("after a failed connect the session gets no signals")
    func failedConnect() throws {
        let bench = try SessionBench()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let key = bench.open()
        let connect = #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#
        bench.say(key, connect)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .failed(.unavailable))
        bench.clients.forget()
        bench.hear(.opened(ChannelState(channel: SessionLoopTests.secret, members: [ann, bob]), by: bob))
        #expect(bench.clients.texts(key).isEmpty)
        bench.say(key, connect)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        bench.hear(.opened(ChannelState(channel: SessionLoopTests.secret, members: [ann, bob]), by: bob))
        #expect(bench.clients.texts(key).count { $0.contains(#""signal":"conversation""#) } == 1)
    }

    @Test("connect follows the requested channels, refuses each name once, and says when there are more channels")
    func channelsOfConnect() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        let names = [SessionLoopTests.secret.wireName, "broadcast:activity:7", "broadcast:activity:7", "inbox", "nonsense"]
        let channels = names.map { #"{"channel":"\#($0)"}"# }.joined(separator: ",")
        bench.say(ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[\#(channels)]}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        #expect(
            order.request
                == .snapshot(
                    try user("ann"), broadcasts: ["system"], asked: [SessionLoopTests.secret, .broadcast("activity:7")], most: 256))
        bench.answer(
            order, .snapshot([ChannelState(channel: try inbox("ann")), ChannelState(channel: SessionLoopTests.secret)], more: true))
        let welcome = try #require(bench.clients.texts(ann).first)
        #expect(welcome.contains(#"],"more":true,"refused":[{"channel":"broadcast:activity:7","code":"forbidden"},{"channel":"nonsense""#))
        #expect(welcome.ranges(of: #""subscribed":true"#).count == 2)
    }

    // MARK: The end

    @Test("a stopping hub answers the received commands before it sends bye, and accepts no more")
    func leaving() throws {
        let bench = try SessionBench()
        let system = ChannelState(channel: SessionLoopTests.system, head: Seq(4))
        let (ann, bob) = (try bench.connect("ann", following: [system]), try bench.connect("bob", following: [system]))
        bench.hear(.entries([try SessionLoopTests().entry(6, in: SessionLoopTests.system)]))
        bench.say(ann, #"{"id":2,"type":"ack","channel":"broadcast:system","seq":4}"#)
        bench.turn()
        let orders = bench.store.take().filter { order in
            guard case .page = order.request else { return true }
            bench.answer(order, .failed(.unavailable))
            return false
        }
        bench.sessions.leave(ann)
        bench.sessions.leave(bob)
        #expect(bench.clients.closed == [bob: .draining])
        #expect(bench.clients.paused == [ann])
        bench.turn()
        #expect(bench.store.take().isEmpty)
        bench.answer(try #require(orders.first), .moved(MovedCursor(try user("bob"), system, isProgress: true, session: ""), changed: true))
        #expect(bench.clients.texts(ann).last?.hasPrefix(#"{"re":2,"ok""#) == true)
        #expect(bench.clients.closed[ann] == .draining)
        #expect(bench.clients.paused.isEmpty, "its close frame is to be heard")
    }

    @Test("a drained hub ends its sessions in steps, and takes nobody until that is taken back")
    func drain() throws {
        let bench = try SessionBench()
        let first = try (0..<3).map { try bench.connect("ann\($0)") }
        bench.sessions.drain(over: .zero, spread: .seconds(3))
        #expect(bench.clients.closed == [first[0]: .draining, first[1]: .draining, first[2]: .draining])
        #expect(bench.sessions.drainSpread == .seconds(3))
        for id in first { bench.sessions.close(id) }
        bench.sessions.undrain()
        #expect(bench.sessions.drainSpread == nil)
        let second = try (0..<3).map { try bench.connect("bob\($0)") }
        bench.sessions.drain(over: .seconds(3_600), spread: .seconds(3))
        #expect(second.count { bench.clients.closed[$0] == .draining } == 1, "one at once, the others later")
        bench.sessions.drain(over: .zero, spread: .zero)
        #expect(second.allSatisfy { bench.clients.closed[$0] == .draining }, "a stop is faster than the drain before it")
    }

    @Test("an operator sees the sessions of a user")
    func lines() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        _ = try bench.connect("bob")
        #expect(bench.sessions.lines(of: try user("ann")).map(\.transport) == ["test"])
        #expect(bench.sessions.lines(of: try user("eve")).isEmpty)
        bench.sessions.leave(ann)
        #expect(bench.sessions.lines(of: try user("ann")).isEmpty)
    }
}
