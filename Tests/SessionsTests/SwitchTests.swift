import Bus
import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Switches: what they do to the sessions of a loop", .guarded)
struct SwitchTests {
    private static let talk = Channel(storedName: "conversation:0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d")!

    private func bench() throws -> SessionBench {
        try SessionBench {
            $0.session.sharesPresence = true
            $0.storeRetry = .milliseconds(1)
        }
    }

    private func talk(_ members: String..., head: UInt64 = 0) throws -> ChannelState {
        ChannelState(channel: Self.talk, head: Seq(head), members: try members.map { try user($0) })
    }

    private func inboxState(_ name: String, head: UInt64 = 5) throws -> ChannelState {
        ChannelState(channel: try inbox(name), head: Seq(head))
    }

    private func use(_ bench: SessionBench, _ switches: Switch...) {
        bench.sessions.use(Switchboard(switches))
        bench.turn()
        bench.turn()
    }

    private func entry(_ channel: Channel, _ seq: UInt64) -> Entry {
        Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(channel, "\(seq)"))
    }

    private func send(_ bench: SessionBench, _ id: SessionID, _ type: String = "send", _ members: String = "") {
        bench.say(id, #"{"id":3,"type":"\#(type)","channel":"\#(Self.talk.wireName)","key":"k","body":"hi"\#(members)}"#)
        bench.turn()
    }

    private func code(_ bench: SessionBench, _ id: SessionID) -> String? {
        guard let text = bench.clients.texts(id).last, let start = text.firstRange(of: #""code":""#) else { return nil }
        return String(text[start.upperBound...].prefix { $0 != "\"" })
    }

    // MARK: Telling

    @Test("clients are told what changes for them, and nobody else is told anything")
    func telling() throws {
        let bench = try bench()
        let (ann, bob) = (try bench.connect("ann", institution: "lyon"), try bench.connect("bob"))
        use(bench, Switch(.signals, for: .institution("lyon"), .off))
        #expect(bench.clients.kinds(ann) == ["control"] && bench.clients.kinds(bob).isEmpty)
        use(bench, Switch(.signals, for: .institution("lyon"), .off), Switch(.signals, for: .institution("x"), .off))
        #expect(bench.clients.kinds(ann) == ["control"], "nothing has changed for the user")
        use(bench)
        #expect(bench.clients.texts(ann).last == #"{"type":"control","switched":[]}"#)
    }

    @Test("the reply to connect says what is not on")
    func welcome() throws {
        let bench = try bench()
        use(bench, Switch(.presence, for: .system, .off))
        let key = bench.open()
        bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        #expect(bench.clients.texts(key).first?.contains(#""switched":[{"feature":"presence","mode":"off""#) == true)
    }

    @Test("many sessions are told in slices, and a change meanwhile reaches all")
    func slices() throws {
        let bench = try bench()
        let ids = try (0..<300).map { try bench.connect("u\($0)") }
        bench.sessions.use(Switchboard([Switch(.signals, for: .system, .off)]))
        bench.turn()
        bench.sessions.use(Switchboard([Switch(.presence, for: .system, .off)]))
        for _ in 0..<10 { bench.turn() }
        for id in ids { #expect(bench.clients.texts(id).last?.contains(#"[{"feature":"presence""#) == true) }
    }

    @Test("a switch ends by itself")
    func until() async throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        let end = Timestamp(milliseconds: WallClock.now() + 30)
        use(bench, Switch(.signals, for: .system, .off, until: end))
        #expect(bench.clients.kinds(ann) == ["control"])
        try await TestKit.until {
            bench.turn()
            return bench.clients.texts(ann).last == #"{"type":"control","switched":[]}"#
        }
        #expect(WallClock.now() >= end.milliseconds)
    }

    // MARK: Everything

    @Test("everything off: sessions end, new ones are refused, and a request with a session of its own is answered")
    func realtime() throws {
        let bench = try bench()
        let (ann, bob) = (try bench.connect("ann", institution: "lyon"), try bench.connect("bob"))
        use(bench, Switch(.realtime, for: .institution("lyon"), .off))
        #expect(bench.clients.kinds(ann) == ["control"])
        #expect(bench.clients.closed == [ann: .featureOff])
        bench.say(bob, #"{"id":2,"type":"ping"}"#)
        #expect(bench.clients.texts(bob).count == 1)
        let token = try bench.token("cat", institution: "lyon")
        let late = bench.open()
        bench.say(late, #"{"id":1,"type":"connect","token":"\#(token)"}"#)
        bench.turn()
        #expect(code(bench, late) == "feature_off" && bench.clients.closed[late] == .featureOff)
        let single = bench.open(isResumable: true)
        bench.sessions.limitToOneRequest(single, isUnheard: true)
        bench.say(single, #"{"id":1,"type":"connect","token":"\#(token)"}"#)
        bench.turn()
        #expect(bench.store.take().count == 1 && bench.clients.closed[single] == nil)
    }

    @Test("a session that is being opened while everything is switched off does not open")
    func openingMeanwhile() throws {
        let bench = try bench()
        let key = bench.open()
        bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        use(bench, Switch(.realtime, for: .system, .off))
        #expect(bench.clients.closed[key] == nil)
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        #expect(code(bench, key) == "feature_off" && bench.clients.closed[key] == .featureOff)
    }

    @Test("a token with other rights is judged anew")
    func refresh() throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        use(bench, Switch(.realtime, for: .institution("lyon"), .off))
        #expect(bench.clients.closed.isEmpty)
        bench.say(ann, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann", institution: "lyon"))"}"#)
        bench.turn()
        #expect(bench.clients.closed == [ann: .featureOff])
    }

    @Test("a token without the rights to which a switch belongs puts an end to it")
    func refreshOutOfScope() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", institution: "lyon")
        use(bench, Switch(.signals, for: .institution("lyon"), .off))
        bench.clients.forget()
        bench.say(ann, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        #expect(bench.clients.texts(ann).contains(#"{"type":"control","switched":[]}"#))
    }

    // MARK: Messages

    @Test("messages of both kinds off: send and edit are refused without asking the store; reading and taking back are not")
    func messages() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk("ann", "bob")])
        use(bench, Switch(.directMessages, for: .system, .off), Switch(.groupMessages, for: .system, .off))
        send(bench, ann)
        #expect(code(bench, ann) == "feature_off")
        send(bench, ann, "edit", #","seq":1"#)
        #expect(code(bench, ann) == "feature_off" && bench.store.take().isEmpty)
        bench.say(ann, #"{"id":4,"type":"history","channel":"\#(Self.talk.wireName)"}"#)
        bench.say(ann, #"{"id":5,"type":"delete","channel":"\#(Self.talk.wireName)","seq":1,"key":"d"}"#)
        bench.turn()
        #expect(bench.store.take().count == 2)
        use(bench)
        send(bench, ann)
        #expect(bench.store.take().count == 1)
    }

    @Test("one kind off: the members of a followed conversation decide", arguments: [false, true])
    func followed(_ isGroup: Bool) throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [isGroup ? talk("ann", "bob", "cat") : talk("ann", "bob")])
        use(bench, Switch(.groupMessages, for: .system, .off))
        send(bench, ann)
        #expect((code(bench, ann) == "feature_off") == isGroup)
        #expect(bench.store.take().count == (isGroup ? 0 : 1))
    }

    @Test("one kind off: the members of any other conversation are asked first", arguments: [false, true])
    func notFollowed(_ isGroup: Bool) throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        use(bench, Switch(.groupMessages, for: .system, .off))
        bench.clients.forget()
        send(bench, ann)
        let question = try #require(bench.store.take().first)
        #expect(question.request == .kind(of: Self.talk, for: try user("ann")))
        bench.answer(question, .kind(ConversationKind(isGroup: isGroup, context: nil)))
        #expect((code(bench, ann) == "feature_off") == isGroup)
        let order = bench.store.take().first
        if isGroup { #expect(order == nil) } else if case .append = order?.request {} else { Issue.record("no message") }
        send(bench, ann)
        bench.answer(try #require(bench.store.take().last), .failed(.forbidden))
        #expect(code(bench, ann) == "forbidden")
    }

    @Test("direct messages off: a conversation is found and not made, and a message to a user is refused")
    func opening() throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        use(bench, Switch(.directMessages, for: .system, .off))
        bench.say(ann, #"{"id":2,"type":"send","to":"bob","key":"k","body":"hi"}"#)
        bench.turn()
        #expect(code(bench, ann) == "feature_off" && bench.store.take().isEmpty)
        bench.say(ann, #"{"id":3,"type":"open","with":"bob"}"#)
        bench.turn()
        let find = try #require(bench.store.take().first)
        guard case .open(_, _, _, most: 0, _) = find.request else {
            Issue.record("\(find.request)")
            return
        }
        bench.answer(find, .failed(.tooManyConversations))
        #expect(code(bench, ann) == "feature_off")
        bench.say(ann, #"{"id":4,"type":"open","with":"bob"}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .opened(try talk("ann", "bob"), created: false))
        #expect(bench.clients.texts(ann).last?.hasPrefix(#"{"re":4,"ok""#) == true)
    }

    @Test("what a conversation is about can be off, too")
    func context() throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        use(bench, Switch(.directMessages, for: .context("activity:7"), .off))
        bench.say(ann, #"{"id":2,"type":"send","to":"bob","context":"activity:7","key":"k","body":"hi"}"#)
        bench.turn()
        #expect(code(bench, ann) == "feature_off")
        bench.say(ann, #"{"id":3,"type":"send","to":"bob","context":"activity:8","key":"k","body":"hi"}"#)
        bench.turn()
        #expect(bench.store.take().count == 1)
    }

    @Test("where a context decides, what a conversation is about is asked, also of one that is followed")
    func contextOfConversation() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk("ann", "bob")])
        use(bench, Switch(.directMessages, for: .context("activity:7"), .off))
        for (context, isOff) in [("activity:7", true), ("activity:8", false), (nil, false)] as [(String?, Bool)] {
            bench.clients.forget()
            send(bench, ann)
            let question = try #require(bench.store.take().first)
            bench.answer(question, .kind(ConversationKind(isGroup: false, context: context)))
            #expect((code(bench, ann) == "feature_off") == isOff)
            #expect(bench.store.take().count == (isOff ? 0 : 1))
        }
        bench.clients.forget()
        send(bench, ann)
        bench.answer(try #require(bench.store.take().first), .failed(.unavailable))
        #expect(code(bench, ann) == "unavailable", "nothing is stored while nobody knows")
    }

    // MARK: Signals and presence

    @Test("signals off: typing is answered and not passed on, neither from nor to users in the scope")
    func signals() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk("ann", "bob")])
        let bob = try bench.connect("bob", following: [talk("ann", "bob")])
        use(bench, Switch(.signals, for: .user(try user("ann")), .off))
        bench.clients.forget()
        bench.bus.forget()
        bench.say(ann, #"{"id":2,"type":"typing","channel":"\#(Self.talk.wireName)"}"#)
        bench.turn()
        #expect(bench.clients.texts(ann) == [#"{"re":2,"ok":{}}"#] && bench.bus.events.isEmpty)
        bench.hear(.signal(.typing(Self.talk, try user("bob"))))
        #expect(bench.clients.texts(ann).count == 1)
        bench.hear(.signal(.typing(Self.talk, try user("ann"))))
        #expect(bench.clients.kinds(bob) == ["signal"], "another hub had not heard of the switch")
    }

    @Test("presence off: who shared it is gone for the others, and sharing is refused")
    func presence() throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        bench.say(ann, #"{"id":2,"type":"presence","state":"online"}"#)
        bench.sessions.presence.beatOnce()
        bench.bus.forget()
        use(bench, Switch(.presence, for: .system, .off))
        bench.sessions.presence.beatOnce()
        var lines: [PresenceNews.Line] = []
        for case .signal(.presence(let news)) in bench.bus.events { lines += news.lines }
        #expect(lines == [PresenceNews.Line(try user("ann"), .hidden)])
        bench.say(ann, #"{"id":3,"type":"presence","state":"online"}"#)
        #expect(code(bench, ann) == "feature_off")
        bench.say(ann, #"{"id":4,"type":"presence","state":"off"}"#)
        #expect(bench.clients.texts(ann).last == #"{"re":4,"ok":{"users":[]}}"#)
    }

    // MARK: Entries

    @Test("stored only: nothing is pushed, and all of it comes when the switch is gone", arguments: [SwitchMode.store, .off])
    func held(_ mode: SwitchMode) async throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [try inboxState("ann")])
        use(bench, Switch(.userNotifications, for: .system, mode))
        bench.hear(.entries([entry(try inbox("ann"), 6), entry(try inbox("ann"), 7)]))
        bench.turn()
        #expect(bench.clients.seqs(ann).isEmpty && bench.store.take().isEmpty)
        use(bench)
        var orders: [StoreOrder] = []
        try await TestKit.until {
            bench.turn()
            orders = bench.store.take()
            return !orders.isEmpty
        }
        #expect(orders.map(\.request) == [.page(try inbox("ann"), after: Seq(5), before: nil, limit: 100)])
        bench.answer(orders[0], .page([entry(try inbox("ann"), 6), entry(try inbox("ann"), 7)], head: Seq(7), more: false))
        #expect(bench.clients.seqs(ann) == [6, 7])
        bench.hear(.entries([entry(try inbox("ann"), 8)]))
        bench.turn()
        #expect(bench.clients.seqs(ann) == [6, 7, 8])
    }

    @Test("a session that connects meanwhile is not sent what it missed, and gets it later")
    func connectsHeld() async throws {
        let bench = try bench()
        use(bench, Switch(.userNotifications, for: .system, .store))
        let key = bench.open()
        bench.say(
            key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))","channels":[{"channel":"inbox","since":3}]}"#)
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([try inboxState("ann")], more: false))
        bench.turn()
        #expect(bench.store.take().isEmpty)
        use(bench)
        try await TestKit.until {
            bench.turn()
            let channel = try inbox("ann")
            return bench.store.take().contains { $0.request == .page(channel, after: Seq(3), before: nil, limit: 100) }
        }
    }

    @Test("slow: what has gathered comes together, and later entries wait again")
    func slow() async throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [try inboxState("ann")])
        use(bench, Switch(.userNotifications, for: .system, .slow(seconds: 5)))
        var next: UInt64 = 6
        for _ in 0..<2 {
            bench.hear(.entries([entry(try inbox("ann"), next)]))
            bench.turn()
            #expect(bench.clients.seqs(ann).count == Int(next) - 6)
            var orders: [StoreOrder] = []
            try await TestKit.until {
                bench.turn()
                orders = bench.store.take()
                return !orders.isEmpty
            }
            bench.answer(orders[0], .page([entry(try inbox("ann"), next)], head: Seq(next), more: false))
            #expect(bench.clients.seqs(ann).last == next)
            next += 1
        }
    }

    @Test("other channels go on")
    func others() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [try inboxState("ann"), ChannelState(channel: .broadcast("system"), head: Seq(1))])
        use(bench, Switch(.userNotifications, for: .system, .store))
        bench.hear(.entries([entry(.broadcast("system"), 2)]))
        bench.turn()
        #expect(bench.clients.seqs(ann) == [2])
    }

    // MARK: Preview

    @Test("whom a switch would concern")
    func reach() throws {
        let bench = try bench()
        for _ in 0..<2 { _ = try bench.connect("ann", institution: "lyon") }
        _ = try bench.connect("bob", following: [ChannelState(channel: .broadcast("activity:7"))])
        _ = bench.open()
        func reach(_ scope: String) throws -> [Int] {
            let found = bench.sessions.reach(of: try #require(SwitchScope(scope)))
            return [found.sessions, found.users.count]
        }
        #expect(try reach("system") == [3, 2])
        #expect(try reach("institution:lyon") == [2, 1])
        #expect(try reach("user:bob") == [1, 1])
        #expect(try reach("activity:7") == [1, 1])
        #expect(try reach("category:STAFF") == [0, 0])
    }
}
