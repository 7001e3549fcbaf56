import Auth
import Bus
import HangGuard
import Linux
import Messaging
import Reactor
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("The sessions of a loop: orders of events", .guarded)
struct SessionLoopTests {
    static let secret = Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-000000000001")!
    static let system = Channel.broadcast("system")

    func entry(_ seq: UInt64, in channel: Channel) throws -> Entry {
        Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(channel, "\(seq)"))
    }

    func entry(_ seq: UInt64, in channel: Channel, by author: String) throws -> Entry {
        var draft = draft(channel, "\(seq)")
        draft.sender = try user(author)
        return Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft)
    }

    func page(_ seqs: ClosedRange<UInt64>, of channel: Channel, head: UInt64, more: Bool = false) throws -> StoreReply {
        .page(try seqs.map { try entry($0, in: channel) }, head: Seq(head), more: more)
    }

    // MARK: Nobody sees what is not theirs

    @Test("commands after a subscribe in the same message get no rights before the store confirms it")
    func nothingBeforeTheStoreAgrees() throws {
        let bench = try SessionBench()
        let eve = try bench.connect("eve")
        let name = Self.secret.wireName
        bench.say(
            eve, #"{"id":2,"type":"subscribe","channel":"\#(name)"}"#, #"{"id":3,"type":"history","channel":"\#(name)"}"#,
            #"{"id":4,"type":"typing","channel":"\#(name)"}"#, #"{"id":5,"type":"mark-read","channel":"\#(name)","all":true}"#,
            #"{"id":6,"type":"subscribe","channel":"\#(name)"}"#)
        bench.turn()
        for order in bench.store.take() {
            guard case .state(_, _, let entitled) = order.request else {
                Issue.record("asked without looking at the right: \(order.request)")
                continue
            }
            #expect(!entitled)
            bench.answer(order, .failed(.forbidden))
        }
        #expect(bench.store.take().isEmpty)
        #expect(bench.bus.events.isEmpty)
        for id in 2...6 {
            #expect(bench.clients.texts(eve).count { $0.hasPrefix(#"{"re":\#(id),"error""#) } == 1, "command \(id) is refused once")
        }
    }

    @Test("signals and receipts of a channel go only to sessions that the store has confirmed")
    func noSignalsBeforeTheStoreAgrees() throws {
        let bench = try SessionBench()
        let ann = try user("ann")
        let bob = try bench.connect("bob", following: [ChannelState(channel: Self.secret, members: [ann, try user("bob")])])
        let eve = try bench.connect("eve")
        bench.say(eve, #"{"id":2,"type":"subscribe","channel":"\#(Self.secret.wireName)"}"#)
        bench.turn()
        bench.hear(
            .signal(.typing(Self.secret, ann)),
            .moved(MovedCursor(ann, ChannelState(channel: Self.secret), isProgress: true, session: "other")))
        #expect(bench.clients.texts(bob).count == 2)
        #expect(bench.clients.texts(eve).isEmpty)
    }

    @Test("a cursor is told to the sessions that did not move it")
    func ownCursor() throws {
        let bench = try SessionBench()
        let ann = try user("ann")
        let key = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        bench.say(key, #"{"id":2,"type":"ack","channel":"broadcast:system","seq":4}"#)
        bench.turn()
        guard case .move(_, _, _, session: let own)? = bench.store.take().first?.request else {
            Issue.record("no cursor was moved")
            return
        }
        for (version, session) in [(UInt64(1), own), (2, "other")] {
            bench.clients.forget()
            let state = ChannelState(channel: Self.system, head: Seq(4), cursorVersion: version)
            bench.hear(.moved(MovedCursor(ann, state, isProgress: false, session: session)))
            #expect(bench.clients.texts(key).contains { $0.hasPrefix(#"{"type":"cursor""#) } == (session != own))
        }
    }

    @Test("a confirmation from before a right was withdrawn does not answer a later subscribe")
    func withdrawnRight() throws {
        let bench = try SessionBench()
        let channel = Channel.broadcast("institution:lyon")
        let ann = try bench.connect("ann", institution: "lyon")
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"\#(channel.wireName)","since":0}"#)
        bench.turn()
        let granted = try #require(bench.store.take().first)
        bench.say(
            ann, #"{"id":3,"type":"refresh","token":"\#(try bench.token("ann"))"}"#,
            #"{"id":4,"type":"subscribe","channel":"\#(channel.wireName)","since":0}"#,
            #"{"id":5,"type":"subscribe","channel":"\#(channel.wireName)","since":0}"#)
        bench.turn()
        let again = bench.store.take()
        try #require(again.count == 2)
        #expect(again.allSatisfy { $0.request == .state(UserID("ann")!, channel, entitled: false) })
        bench.answer(granted, .state(ChannelState(channel: channel, head: Seq(7))))
        bench.hear(.entries([try entry(8, in: channel)]))
        bench.turn()
        #expect(bench.store.take().isEmpty, "no page is read")
        for order in again { bench.answer(order, .failed(.forbidden)) }
        let texts = bench.clients.texts(ann)
        #expect(texts.contains { $0.hasPrefix(#"{"re":2,"error":{"code":"not_subscribed""#) })
        for id in 4...5 { #expect(texts.contains { $0.hasPrefix(#"{"re":\#(id),"error":{"code":"forbidden""#) }) }
        #expect(!texts.contains { $0.contains(#""head""#) || $0.contains(#""type":"entry""#) })
    }

    @Test("an answer about an ended subscription does not affect the next subscription")
    func recountOfAnEndedSubscription() throws {
        let bench = try SessionBench { $0.storeRetry = .zero }
        let (ann, bob) = (try user("ann"), try user("bob"))
        let key = try bench.connect("ann", following: [ChannelState(channel: Self.secret, members: [ann, bob])])
        bench.clients.congested = [key]
        bench.hear(.moved(MovedCursor(bob, ChannelState(channel: Self.secret), isProgress: true, session: "other")))
        bench.clients.congested = []
        bench.sessions.drained(key)
        bench.turn()
        let late = try #require(bench.store.take().first)
        bench.say(
            key, #"{"type":"unsubscribe","channel":"\#(Self.secret.wireName)"}"#,
            #"{"id":3,"type":"subscribe","channel":"\#(Self.secret.wireName)"}"#)
        bench.turn()
        bench.answer(
            late,
            .state(
                ChannelState(channel: Self.secret, members: [ann, bob], progress: [MemberProgress(bob, delivered: Seq(1), read: .zero)])))
        #expect(bench.clients.texts(key).isEmpty)
    }

    @Test("an entry with a collapse key has the counters asked for only when it has replaced others")
    func replacing() throws {
        let bench = try SessionBench()
        _ = try bench.connect("ann", following: [ChannelState(channel: Self.system)])
        func hear(_ seq: UInt64, replaces: Bool) {
            let draft = draft(Self.system, "\(seq)", collapse: "a")
            bench.hear(
                .entries([Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft, replaces: replaces)]))
        }
        hear(1, replaces: false)
        #expect(bench.sessions.state.fanOut.earliestExpiry == nil)
        hear(2, replaces: true)
        #expect(bench.sessions.state.fanOut.earliestExpiry != nil)
    }

    @Test("a user who loses a channel is told on every session, and gets nothing more from it")
    func rightIsGone() throws {
        let bench = try SessionBench()
        let state = ChannelState(channel: Self.secret, members: [try user("ann"), try user("bob")])
        let (ann, tablet) = (try bench.connect("ann", following: [state]), try bench.connect("ann", following: [state]))
        let bob = try bench.connect("bob", following: [state])
        bench.hear(.withdrawn(Self.secret, from: try user("ann")))
        for key in [ann, tablet] { #expect(bench.clients.texts(key).count { $0.contains(#""signal":"unsubscribed""#) } == 1) }
        bench.hear(.entries([try entry(1, in: Self.secret, by: "bob")]))
        #expect(bench.clients.seqs(ann).isEmpty && bench.clients.seqs(tablet).isEmpty)
        #expect(bench.clients.seqs(bob) == [1])
    }

    // MARK: Pages and rewinds

    @Test("a page that was requested before a rewind causes no gap")
    func rewindWhileReading() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        bench.hear(.entries([try entry(6, in: Self.system)]))
        bench.turn()
        let late = bench.store.take()
        try #require(late.count == 1)
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system","since":1}"#)
        bench.turn()
        let state = bench.store.take()
        try #require(state.count == 1)
        bench.answer(state[0], .state(ChannelState(channel: Self.system, head: Seq(6))))
        bench.answer(late[0], try page(5...6, of: Self.system, head: 6))
        for order in bench.store.take() {
            guard case .page(_, let after, _, _) = order.request else { continue }
            #expect(after == Seq(1))
            bench.answer(order, try page(2...6, of: Self.system, head: 6))
        }
        #expect(bench.clients.seqs(ann) == [2, 3, 4, 5, 6])
    }

    @Test("entries sent before a rewind may be acknowledged while they are sent again")
    func ackAfterRewind() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        bench.say(ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system","since":1}"#)
        bench.turn()
        let state = try #require(bench.store.take().first)
        bench.answer(state, .state(ChannelState(channel: Self.system, head: Seq(4))))
        _ = bench.store.take()
        bench.say(
            ann, #"{"id":3,"type":"ack","channel":"broadcast:system","seq":4}"#,
            #"{"id":4,"type":"ack","channel":"broadcast:system","seq":5}"#)
        bench.turn()
        #expect(bench.store.take().map(\.request) == [.move(try user("ann"), Self.system, .delivered(Seq(4)), session: "s")])
        #expect(bench.clients.texts(ann).last?.hasPrefix(#"{"re":4,"error":{"code":"not_sent""#) == true)
    }

    @Test("the activity command is answered at once, without the store")
    func activity() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        bench.say(ann, #"{"id":2,"type":"activity"}"#)
        bench.turn()
        #expect(bench.clients.texts(ann) == [#"{"re":2,"ok":{}}"#])
        #expect(bench.store.take().isEmpty)
    }

    @Test("a page of an ended subscription is not sent to the next subscription")
    func pageOfAnEndedSubscription() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        bench.hear(.entries([try entry(6, in: Self.system)]))
        bench.turn()
        let late = bench.store.take()
        try #require(late.count == 1)
        bench.say(
            ann, #"{"id":2,"type":"unsubscribe","channel":"broadcast:system"}"#,
            #"{"id":3,"type":"subscribe","channel":"broadcast:system"}"#)
        bench.turn()
        bench.answer(late[0], try page(5...6, of: Self.system, head: 6))
        #expect(bench.clients.seqs(ann).isEmpty)
    }

    @Test("a page that arrives while the client is congested is read again later")
    func congestedWhileReading() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        bench.hear(.entries([try entry(6, in: Self.system)]))
        bench.turn()
        let first = bench.store.take()
        try #require(first.count == 1)
        bench.clients.congested = [ann]
        bench.answer(first[0], try page(5...6, of: Self.system, head: 6))
        #expect(bench.clients.seqs(ann).isEmpty)
        bench.clients.congested = []
        bench.sessions.drained(ann)
        bench.turn()
        let again = bench.store.take()
        try #require(again.count == 1)
        bench.answer(again[0], try page(5...6, of: Self.system, head: 6))
        #expect(bench.clients.seqs(ann) == [5, 6])
    }

    // MARK: Every command is answered

    @Test("a subscribe that is cancelled before the store answers still gets a reply")
    func subscribeTakenBack() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        bench.say(
            ann, #"{"id":2,"type":"subscribe","channel":"broadcast:system"}"#,
            #"{"id":3,"type":"unsubscribe","channel":"broadcast:system"}"#)
        bench.turn()
        for order in bench.store.take() { bench.answer(order, .state(ChannelState(channel: Self.system, head: Seq(4)))) }
        for id in 2...3 { #expect(bench.clients.texts(ann).count { $0.hasPrefix(#"{"re":\#(id),"#) } == 1, "command \(id)") }
    }

    @Test("the loop is marked as waiting for other threads while the store has an open order")
    func awaitsTheStore() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system, head: Seq(4))])
        #expect(!bench.loop.awaitsOthers)
        bench.say(ann, #"{"id":2,"type":"ack","channel":"broadcast:system","seq":4}"#)
        bench.turn()
        #expect(bench.loop.awaitsOthers)
        bench.answer(try #require(bench.store.take().first), .failed(.unavailable))
        #expect(!bench.loop.awaitsOthers)
    }

    // MARK: Bounds

    @Test("a store with room for some of a turn's orders accepts those")
    func someRoom() throws {
        let bench = try SessionBench()
        let keys = try (0..<200).map { try bench.connect("user \($0)") }
        bench.store.room = 128
        for key in keys { bench.say(key, #"{"id":2,"type":"open","with":"zoe"}"#) }
        bench.turn()
        #expect(bench.store.take().count == 128)
        #expect(keys.count { bench.clients.texts($0).contains { $0.contains(#""code":"unavailable""#) } } == 72)
    }

    @Test("a loop has no more open orders than its mailbox has room for outcomes")
    func openOrders() throws {
        let bench = try SessionBench(openOrders: 64)
        let keys = try (0..<100).map { try bench.connect("user \($0)") }
        for key in keys { bench.say(key, #"{"id":2,"type":"open","with":"zoe"}"#) }
        bench.turn()
        #expect(bench.store.take().count == 64)
        #expect(keys.count { bench.clients.texts($0).contains { $0.contains(#""code":"unavailable""#) } } == 36)
    }

    @Test("tokens that wait for a key count as unanswered commands: a client with too many is not read")
    func waitingTokens() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        let token = try bench.token("ann", with: try TokenSigner.generate())
        for id in 0..<64 { bench.say(ann, #"{"id":\#(id + 2),"type":"refresh","token":"\#(token)"}"#) }
        #expect(bench.clients.paused == [ann])
        try bench.publish([bench.signer])
        #expect(bench.clients.paused.isEmpty)
        #expect(bench.clients.texts(ann).count == 64)
    }

    @Test("a bounded number of entries wait for slow sockets; further ones are read from the store")
    func boundedFanOut() {
        let clients = Clients()
        var waiting = FanOut()
        let table = SessionTable(loop: 0)
        let live = table.add(Session(id: "s"), route: clients.route(to: SessionID(slot: 0, generation: 0)), now: .now)
        _ = waiting.join(Self.system, Subscriber(session: live.id, user: 0))
        let frame = SharedFrame { $0 = [UInt8](repeating: 0x20, count: 1 << 20) }
        let item = FanOut.Item(seq: Seq(1), author: 0, weight: .normal, frame: frame)
        var taken = 0
        while taken < 1_000, waiting.enqueue(Self.system, [item]) { taken += 1 }
        #expect(taken == FanOut.waitingBytes >> 20)
        while !waiting.isIdle { _ = waiting.runSlice(table, [clients], at: .now) }
        let isTakenAgain = waiting.enqueue(Self.system, [item])
        #expect(isTakenAgain)
    }

    // MARK: Counters

    @Test("the first entry after a pause carries the counters, except to its author; the counters of further entries follow later")
    func countersRideAlong() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann", following: [ChannelState(channel: Self.system)])
        let bob = try bench.connect("bob", following: [ChannelState(channel: Self.system)])
        bench.hear(.entries([try entry(1, in: Self.system, by: "ann")]))
        #expect(bench.clients.kinds(bob) == ["entry", "counters"])
        #expect(bench.clients.kinds(ann) == ["entry"], "one's own entry changes no counter")
        bench.hear(.entries([try entry(2, in: Self.system), try entry(3, in: Self.system)]))
        #expect(bench.clients.kinds(bob) == ["entry", "counters", "entry", "entry"])
        #expect(bench.clients.kinds(ann) == ["entry", "entry", "entry"])
    }

    @Test("the entries of one channel in a batch are sent together, with one set of counters")
    func batchOfManyChannels() throws {
        let bench = try SessionBench()
        let (annsInbox, bobsInbox) = (Channel.inbox(try user("ann")), Channel.inbox(try user("bob")))
        let ann = try bench.connect("ann", following: [ChannelState(channel: annsInbox)])
        let bob = try bench.connect("bob", following: [ChannelState(channel: bobsInbox)])
        bench.hear(
            .entries([try entry(1, in: annsInbox), try entry(1, in: bobsInbox), try entry(2, in: annsInbox), try entry(2, in: bobsInbox)]))
        for key in [ann, bob] {
            #expect(bench.clients.seqs(key) == [1, 2])
            #expect(bench.clients.kinds(key) == ["entry", "entry", "counters"])
        }
    }

    @Test("a session that misses an entry gets its counters with the entries that are read from the store")
    func countersOfThoseBehind() throws {
        let bench = try SessionBench()
        let bob = try bench.connect("bob", following: [ChannelState(channel: Self.system)])
        bench.hear(.entries([try entry(2, in: Self.system)]))
        #expect(bench.clients.texts(bob).isEmpty)
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.count == 1)
        bench.answer(orders[0], try page(1...2, of: Self.system, head: 2))
        #expect(bench.clients.seqs(bob) == [1, 2])
    }

    // MARK: Lost events
}
