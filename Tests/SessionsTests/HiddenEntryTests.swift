import Bus
import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

/// Ann writes, and Bob has blocked her. Cyd is a third member.
@Suite("Entries and signals that are hidden from some users", .guarded)
struct HiddenEntryTests {
    private let talk = SessionLoopTests.secret

    private func entry(_ seq: UInt64, by author: String = "ann", hiddenFrom: [String] = ["bob"]) throws -> Entry {
        let draft = draft(talk, "key-\(seq)", sender: try user(author), content: #""body":"text-\#(seq)""#)
        return Entry(
            seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft, hiddenFrom: try hiddenFrom.map { try user($0) })
    }

    private func state(hiddenFrom: [String] = []) throws -> ChannelState {
        var state = ChannelState(channel: talk, members: try ["ann", "bob", "cyd"].map { try user($0) })
        state.hiddenFrom = try hiddenFrom.map { try user($0) }
        return state
    }

    private func entries(_ bench: SessionBench, _ id: SessionID) -> [String] {
        bench.clients.texts(id).filter { $0.contains(#""type":"entry""#) }
    }

    private func isPlaceholder(_ text: String) -> Bool {
        text.contains(#""kind":"hidden""#) && ![#""ann""#, #""cyd""#, "text-", "key-"].contains { text.contains($0) }
    }

    @Test("a live entry is a placeholder for those from whom it is hidden, and counts for the others")
    func live() throws {
        let bench = try SessionBench()
        let ids = try ["ann", "bob", "cyd"].map { try bench.connect($0, following: [try state()]) }
        let fourth = try entry(4, by: "cyd", hiddenFrom: ["ann", "bob"])
        bench.hear(.entries([try entry(1), try entry(2, hiddenFrom: []), try entry(3), fourth]))
        for id in ids { #expect(bench.clients.seqs(id) == [1, 2, 3, 4], "everybody has every number") }
        #expect(entries(bench, ids[0]).map(isPlaceholder) == [false, false, false, true])
        #expect(entries(bench, ids[1]).map(isPlaceholder) == [true, false, true, true])
        #expect(entries(bench, ids[2]).map(isPlaceholder) == [false, false, false, false])
        func unread(_ id: SessionID) -> String? { bench.clients.texts(id).last { $0.contains(#""type":"counters""#) } }
        #expect(unread(ids[0]) == nil, "all are her own or hidden from her")
        #expect(unread(ids[1])?.contains(#""unread":1"#) == true)
        #expect(unread(ids[2])?.contains(#""unread":3"#) == true)
    }

    @Test("a replay and a page of history have the same placeholders, and nothing of them counts")
    func replay() throws {
        let bench = try SessionBench()
        let bob = try bench.connect("bob", following: [try state()])
        // A gap: the hub reads the entries from the store.
        bench.hear(.entries([try entry(3)]))
        let page = try #require(bench.store.take().first)
        bench.answer(page, .page([try entry(1), try entry(2, hiddenFrom: []), try entry(3)], head: Seq(3), more: false))
        #expect(entries(bench, bob).map(isPlaceholder) == [true, false, true])
        #expect(entries(bench, bob).allSatisfy { $0.contains(#""replay":true"#) })
        bench.clients.forget()
        bench.say(bob, #"{"id":9,"type":"history","channel":"\#(talk.wireName)"}"#)
        bench.turn()
        let history = try #require(bench.store.take().first)
        bench.answer(history, .page([try entry(1), try entry(2, hiddenFrom: ["ann", "cyd"])], head: Seq(2), more: false))
        let reply = try #require(bench.clients.texts(bob).first { $0.contains(#""re":9"#) })
        #expect(reply.contains("text-2") && !reply.contains("text-1") && reply.contains(#""id":"hidden-1""#))
    }

    @Test("typing signals spare those who have blocked the user, as the store last said")
    func typing() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [try state(hiddenFrom: ["bob"])])
        let (bob, cyd) = (try bench.connect("bob", following: [try state()]), try bench.connect("cyd", following: [try state()]))
        func type(_ id: SessionID) throws -> BusSignal {
            bench.say(id, #"{"id":3,"type":"typing","channel":"\#(talk.wireName)"}"#)
            bench.turn()
            guard case .signal(let signal)? = bench.bus.events.last else { throw NoSignal() }
            return signal
        }
        let signal = try type(ann)
        #expect(signal == .typing(talk, try user("ann"), hiddenFrom: [try user("bob")]))
        #expect(bench.clients.texts(ann) == [#"{"re":3,"ok":{}}"#], "the user is answered as always")
        bench.clients.forget()
        bench.hear(.signal(signal))
        #expect(bench.clients.kinds(cyd) == ["signal"] && bench.clients.kinds(bob).isEmpty)
        #expect(try type(cyd) == .typing(talk, try user("cyd")))
        bench.clients.forget()

        // The block ends: Ann's session asks the store, and Ann is told nothing.
        bench.hear(.hidingChanged(talk, of: try user("ann")))
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.map(\.request) == [.state(try user("ann"), talk, entitled: false)])
        var progressed = try state()
        progressed.progress = [MemberProgress(try user("bob"), delivered: Seq(1), read: Seq(1))]
        bench.answer(orders[0], .state(progressed))
        #expect(bench.clients.texts(ann).isEmpty)
        bench.sessions.close(ann)
        let again = try bench.connect("ann", following: [try state()])
        #expect(try type(again) == .typing(talk, try user("ann")))
    }

    private struct NoSignal: Error {}

    @Test("whom typing is hidden from follows the store's newest answer, also after an outage")
    func rereading() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [try state()])
        let index = 0
        func hiddenFrom() -> [UserID]? { bench.sessions.state.table[ann]?.session.hiddenFrom(in: talk) }
        bench.hear(.hidingChanged(talk, of: try user("ann")))
        bench.turn()
        let asked = bench.store.take()
        bench.answer(asked[index], .state(try state(hiddenFrom: ["bob", "cyd"])))
        #expect(hiddenFrom() == [try user("bob"), try user("cyd")])
        bench.hear(.hidingChanged(talk, of: try user("ann")))
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .state(try state()))
        #expect(hiddenFrom() == [])
        bench.hear(.hidingChanged(talk, of: try user("bob")))
        bench.turn()
        #expect(bench.store.take().isEmpty, "nobody of this loop")
    }

    @Test("a receipt tells of no more than the entries that were shown")
    func receipts() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [try state()])
        let phone = try bench.connect("bob", following: [try state()])
        var moved = try state()
        moved.cursor = Cursor(delivered: Seq(7), seen: Seq(7), read: Seq(7))
        moved.cursorVersion = 1
        moved.progress = [MemberProgress(try user("bob"), delivered: Seq(4), read: Seq(3))]
        bench.hear(.moved(MovedCursor(try user("bob"), moved, isProgress: true, session: "other")))
        #expect(
            bench.clients.texts(ann)
                == [#"{"type":"receipt","channel":"\#(talk.wireName)","user":"bob","delivered":4,"read":3}"#])
        #expect(bench.clients.texts(phone).contains { $0.contains(#""type":"cursor""#) && $0.contains(#""read":7"#) })
        bench.clients.forget()
        bench.hear(.moved(MovedCursor(try user("bob"), moved, isProgress: false, session: "other")))
        #expect(bench.clients.texts(ann).isEmpty)
    }
}
