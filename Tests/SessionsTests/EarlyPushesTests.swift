import Bus
import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Pushes that come before the reply they must follow", .guarded)
struct EarlyPushesTests {
    private let system = SessionLoopTests.system
    private let talk = SessionLoopTests.secret

    private func cursor(_ channel: Channel, version: UInt64) throws -> BusEvent {
        .moved(
            MovedCursor(
                try user("ann"), ChannelState(channel: channel, head: Seq(4), cursorVersion: version), isProgress: false, session: "another"
            ))
    }

    @Test("cursors and conversations that come while connect waits for the store are sent behind its reply")
    func connect() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        bench.say(
            ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[{"channel":"broadcast:system"}]}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        for version in 7...9 as ClosedRange<UInt64> { bench.hear(try cursor(system, version: version)) }
        bench.hear(.opened(ChannelState(channel: talk, members: [try user("ann"), try user("bob")]), by: try user("bob")))
        #expect(bench.clients.texts(ann).isEmpty)

        bench.answer(order, .snapshot([ChannelState(channel: system, head: Seq(4))], more: false))
        let lines = bench.clients.texts(ann).flatMap { $0.split(separator: "\n") }
        #expect(lines.first?.hasPrefix(#"{"re":1,"ok""#) == true)
        let cursors = lines.filter { $0.hasPrefix(#"{"type":"cursor""#) }
        #expect(cursors.count == 1 && cursors[0].contains(#""version":13"#), "the newest: the head and the cursor's version")
        #expect(lines.count { $0.contains(#""signal":"conversation""#) } == 1)
        bench.hear(try cursor(system, version: 10))
        #expect(bench.clients.texts(ann).contains { $0.hasPrefix(#"{"type":"cursor""#) && $0.contains(#""version":14"#) })
    }

    @Test("a cursor that comes while a subscribe waits for the store is sent behind its reply, and not at all when it is refused")
    func subscribe() throws {
        for isRefused in [false, true] {
            let bench = try SessionBench()
            let ann = try bench.connect("ann")
            bench.say(ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system"}"#)
            bench.turn()
            let order = try #require(bench.store.take().first)
            bench.hear(try cursor(system, version: 7))
            #expect(bench.clients.texts(ann).isEmpty)
            bench.answer(order, isRefused ? .failed(.forbidden) : .state(ChannelState(channel: system, head: Seq(4))))
            let lines = bench.clients.texts(ann).flatMap { $0.split(separator: "\n") }
            #expect(lines.first?.hasPrefix(#"{"re":2,"#) == true)
            #expect(lines.count { $0.hasPrefix(#"{"type":"cursor""#) } == (isRefused ? 0 : 1))
        }
    }

    @Test("a right that is withdrawn while a subscribe waits for the store is told by the reply alone")
    func withdrawn() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"\#(talk.wireName)"}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        bench.hear(.withdrawn(talk, from: try user("ann")))
        #expect(bench.clients.texts(ann).isEmpty)
        bench.answer(order, .state(ChannelState(channel: talk)))
        let lines = bench.clients.texts(ann).flatMap { $0.split(separator: "\n") }
        #expect(lines.count == 1 && lines[0].contains(#""code":"not_subscribed""#))
    }

    @Test("a right that is withdrawn while connect waits for the store is told by its reply alone")
    func withdrawnWhileConnecting() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        let name = talk.wireName
        bench.say(ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[{"channel":"\#(name)"}]}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        bench.hear(.withdrawn(talk, from: try user("ann")))
        bench.answer(order, .snapshot([ChannelState(channel: talk)], more: false))
        let lines = bench.clients.texts(ann).flatMap { $0.split(separator: "\n") }
        #expect(lines.count == 1 && lines[0].contains(#""refused":[{"channel":"\#(name)","code":"forbidden"}]"#))
    }

    @Test("so many pushes are kept for one session, the newest ones")
    func bound() {
        var early = EarlyPushes()
        let session = SessionID(slot: 1, generation: 1)
        for number in 0..<100 as Range<UInt8> { early.hold(for: session) { $0.append(number) } }
        #expect(early.take(session) { _ in nil } == (36..<100).map { [$0] })
        early.hold(for: session, behind: 1) { $0.append(1) }
        early.hold(for: session, behind: 2) { $0.append(2) }
        #expect(early.take(session) { $0 == 1 ? false : nil } == [])
        #expect(early.take(session) { _ in true } == [[1]])
        early.hold(for: session) { $0.append(3) }
        early.forget(session)
        #expect(early.take(session) { _ in true } == [])
    }
}
