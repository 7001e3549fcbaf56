import Bus
import HangGuard
import Messaging
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Sessions

@Suite("Activity in conversations that a session does not follow", .guarded)
struct ActivityTests {
    private let talk = SessionLoopTests.secret

    private func state(unread: UInt32, head: UInt64 = 7) throws -> ChannelState {
        ChannelState(
            channel: talk, head: Seq(head), counters: Counters(unread: unread, unseen: 1), cursorVersion: 2,
            members: [try user("ann"), try user("bob")])
    }

    /// Turns the loop until it asks the store something.
    private func order(_ bench: SessionBench) async throws -> [StoreOrder] {
        var orders: [StoreOrder] = []
        try await until {
            bench.turn()
            orders += bench.store.take()
            return !orders.isEmpty
        }
        return orders
    }

    private func active() throws -> BusEvent { .active(talk, members: [try user("ann"), try user("bob")]) }

    @Test("many entries are one question and one push, for members who do not follow the conversation")
    func entries() async throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        let bob = try bench.connect("bob", following: [try state(unread: 0)])
        let eve = try bench.connect("eve")
        for _ in 0..<9 { bench.hear(try active()) }
        #expect(bench.store.take().isEmpty, "questions are collected")
        let orders = try await order(bench)
        #expect(orders.map(\.request) == [.state(try user("ann"), talk, entitled: false)])
        bench.answer(orders[0], .state(try state(unread: 3)))
        let push = #"{"type":"activity","channel":"\#(talk.wireName)","head":7,"unread":3,"unseen":1,"urgent":0,"version":9}"#
        #expect(bench.clients.texts(ann) == [push])
        #expect(bench.clients.texts(bob).isEmpty && bench.clients.texts(eve).isEmpty)
        bench.hear(try active())
        #expect(try await order(bench).count == 1, "the next entry is told again")
    }

    @Test("an activity comes behind the reply to connect, and is asked again when the store was away")
    func order() async throws {
        let bench = try SessionBench()
        let ann = bench.open()
        bench.say(ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        let connect = try #require(bench.store.take().first)
        bench.hear(try active(), .moved(MovedCursor(try user("ann"), try state(unread: 1), isProgress: false, session: "other")))
        #expect(bench.clients.texts(ann).isEmpty)
        bench.answer(connect, .snapshot([], more: false))
        #expect(bench.clients.kinds(ann).isEmpty, "the reply alone")
        bench.answer(try await order(bench)[0], .failed(.unavailable))
        bench.answer(try await order(bench)[0], .failed(.forbidden))
        #expect(bench.clients.kinds(ann).isEmpty)
        bench.hear(try active())
        let asked = try await order(bench)[0]
        bench.clients.congested = [ann]
        bench.answer(asked, .state(try state(unread: 2)))
        #expect(bench.clients.kinds(ann).isEmpty, "a client that does not keep up is not told")
    }

    @Test("a mark on another device is told to sessions that do not follow the conversation, without a question")
    func marks() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        let follower = try bench.connect("ann", following: [try state(unread: 3)])
        bench.hear(.moved(MovedCursor(try user("ann"), try state(unread: 0), isProgress: true, session: "other")))
        #expect(bench.clients.kinds(ann) == ["activity"])
        #expect(!bench.clients.kinds(follower).contains("activity"))
        let inbox = ChannelState(channel: .inbox(try user("ann")), head: Seq(1))
        bench.clients.forget()
        bench.hear(.moved(MovedCursor(try user("ann"), inbox, isProgress: true, session: "other")))
        #expect(bench.clients.texts(ann).isEmpty, "only conversations")
    }

    @Test("so many questions wait, and a further activity is not told")
    func bound() throws {
        let bench = try SessionBench()
        _ = try bench.connect("ann")
        var events: [BusEvent] = []
        for number in 0..<20_000 {
            let digits = String(number, radix: 16)
            let id = String(repeating: "0", count: 12 - digits.count) + digits
            let channel = try #require(Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-\(id)"))
            events.append(.active(channel, members: [try user("ann")]))
        }
        bench.inbox.hear(events)
        bench.turn()
        #expect(bench.sessions.state.metrics.activityDropped.value == 20_000 - 16_384)
    }

    @Test("a session that follows the conversation meanwhile is not told")
    func followedMeanwhile() async throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        bench.hear(try active())
        let asked = try await order(bench)[0]
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"\#(talk.wireName)"}"#)
        bench.answer(asked, .state(try state(unread: 3)))
        #expect(bench.clients.texts(ann).isEmpty)
        bench.hear(try active())
        bench.sessions.close(ann)
        #expect(bench.sessions.count == 0)
    }
}
