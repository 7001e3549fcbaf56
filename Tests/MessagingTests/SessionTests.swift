import HangGuard
import Testing

@testable import Messaging

@Suite("Session: which commands a principal may give", .guarded)
struct SessionTests {
    static let alice = UserID("alice")!
    static let bob = UserID("bob")!
    static let conversation = "conversation:0a1b2c3d-0000-4000-8000-000000000001"

    static func identity(_ user: UserID = alice, institution: String? = "lyon", roles: [String] = [], channels: [String] = []) -> Identity {
        Identity(user: user, institution: institution, roles: roles, channels: channels, expiresAt: Timestamp(milliseconds: 1_000_000))
    }

    func opened(following channels: [String] = []) -> Session {
        var session = Session(id: "s1")
        _ = session.identify(Self.identity())
        session.welcome()
        for (i, name) in channels.enumerated() {
            session.joined(.init(channel: Channel(wireName: name, for: Self.alice)!, roster: UInt32(i), slot: 0, registration: UInt32(i)))
        }
        return session
    }

    func receive(_ session: inout Session, _ body: ClientCommand.Body, at milliseconds: Int64 = 0, sent: UInt64 = 10) -> Session.Action {
        session.receive(body, now: Timestamp(milliseconds: milliseconds), limits: Session.Limits()) { _ in Seq(sent) }
    }

    /// As a client writes it, read by the parser.
    func receive(_ session: inout Session, plain name: String, _ seq: UInt64, sent: Seq?) -> Session.Action? {
        let line = Array(#"{"type":"ack","channel":"\#(name)","seq":\#(seq)}"#.utf8)
        var action: Session.Action?
        ClientCommand.parse(line.span, limits: CommandLimits()) {
            if case .plainAck(let ack) = $0 { action = session.receive(ack, in: line.span) { _ in sent } }
        }
        return action
    }

    @Test("a plain ack is checked like the command")
    func plainAck() {
        let broadcast = "broadcast:institution:lyon"
        var session = opened(following: ["inbox", broadcast, Self.conversation])
        for (name, seq) in [
            ("inbox", UInt64(10)), (broadcast, 0), (Self.conversation, 7), ("inbox", 11), ("broadcast:system", 1), ("inboxes", 1), ("", 1),
            ("conversation:\(broadcast)", 1), (Self.conversation.uppercased(), 1), ("broadcast:institution:lyo", 1),
            ("conversation:" + Self.conversation.dropFirst(13).uppercased(), 7),
        ] {
            let action = receive(&session, .ack(channel: name, seq: Seq(seq)))
            #expect(receive(&session, plain: name, seq, sent: Seq(10)) == action, "\(name)")
        }
    }

    @Test("a plain ack is refused before the reply to connect and before the store confirms the subscription")
    func plainAckTooEarly() {
        var unanswered = opened(following: ["inbox"])
        #expect(receive(&unanswered, plain: "inbox", 1, sent: nil).flatMap(code) == .notSubscribed)
        var session = Session(id: "s1")
        _ = session.identify(Self.identity())
        session.joined(.init(channel: .inbox(Self.alice), roster: 0, slot: 0, registration: 0))
        #expect(receive(&session, plain: "inbox", 1, sent: Seq(10)).flatMap(code) == .notConnected)
        session.welcome()
        #expect(
            receive(&session, plain: "inbox", 1, sent: Seq(10))
                == .store(.move(Self.alice, .inbox(Self.alice), .delivered(Seq(1)), session: "s1"), .ack))
    }

    @Test("after a rewind, entries sent before it may be acknowledged and marked until the subscription ends")
    func rewound() {
        var session = opened(following: ["inbox", "broadcast:system"])
        session.rewound(.inbox(Self.alice), from: Seq(10))
        session.rewound(.inbox(Self.alice), from: Seq(6))
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(10)), sent: 3)) == nil)
        #expect(receive(&session, plain: "inbox", 10, sent: Seq(3)).flatMap(code) == nil)
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(11)), sent: 3)) == .notSent)
        #expect(receive(&session, plain: "inbox", 11, sent: Seq(3)).flatMap(code) == .notSent)
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(12)), sent: 12)) == nil, "sent since")
        #expect(
            receive(&session, .markRead(channel: "inbox", .all), sent: 3)
                == .store(.move(Self.alice, .inbox(Self.alice), .read(.upTo(Seq(10))), session: "s1"), .mark))
        #expect(code(receive(&session, .ack(channel: "broadcast:system", seq: Seq(4)), sent: 3)) == .notSent, "another channel")
        session.left(at: 0)
        session.joined(.init(channel: .inbox(Self.alice), roster: 0, slot: 0, registration: 2))
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(10)), sent: 3)) == .notSent, "another subscription")
    }

    func code(_ action: Session.Action) -> ErrorCode? {
        if case .refuse(let refusal) = action { refusal.code } else { nil }
    }

    @Test(
        "before connect every other command is refused",
        arguments: [
            ClientCommand.Body.ping, .activity, .ack(channel: "inbox", seq: Seq(1)), .subscribe(channel: "inbox"),
            .refresh(token: "t"),
        ])
    func connectFirst(body: ClientCommand.Body) {
        var session = Session(id: "s1")
        #expect(code(receive(&session, body)) == .notConnected)
    }

    @Test("connect is accepted once, and again only after it failed")
    func connectOnce() {
        var session = Session(id: "s1")
        #expect(receive(&session, .connect(token: "t", subscriptions: [])) == .connect(.token("t"), []))
        #expect(session.identify(Self.identity()) == true)
        #expect(code(receive(&session, .connect(token: "t", subscriptions: []))) == .alreadyConnected)
        #expect(code(receive(&session, .ping)) == .notConnected, "its reply has not been given")
        #expect(session.abandonConnect().isEmpty)
        #expect(receive(&session, .connect(token: "t", subscriptions: [])) == .connect(.token("t"), []))
        #expect(session.identify(Self.identity()) == true)
        session.welcome()
        #expect(receive(&session, .ping) == .tellTime)
        #expect(code(receive(&session, .connect(token: "t", subscriptions: []))) == .alreadyConnected)
    }

    @Test("a connection never changes its user")
    func sameSubject() {
        var session = opened()
        #expect(session.identify(Self.identity(Self.bob)) == false)
        #expect(session.identity?.user == Self.alice)
    }

    @Test("an ack goes to the store; an ack beyond the sent entries is refused")
    func ack() {
        var session = opened(following: ["inbox"])
        #expect(
            receive(&session, .ack(channel: "inbox", seq: Seq(10)))
                == .store(.move(Self.alice, .inbox(Self.alice), .delivered(Seq(10)), session: "s1"), .ack))
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(11)))) == .notSent)
        #expect(code(receive(&session, .ack(channel: "broadcast:system", seq: Seq(1)))) == .notSubscribed)
        #expect(code(receive(&session, .ack(channel: "room:1", seq: Seq(1)))) == .unknownChannel)
    }

    @Test("a followed channel is found by its name, also with an uppercase conversation id")
    func names() {
        var session = opened(following: ["broadcast:institution:lyon", Self.conversation])
        for (name, channel) in [
            ("broadcast:institution:lyon", Channel.broadcast("institution:lyon")),
            (Self.conversation, Channel(storedName: Self.conversation)!),
            ("conversation:" + Self.conversation.dropFirst(13).uppercased(), Channel(storedName: Self.conversation)!),
        ] {
            #expect(
                receive(&session, .ack(channel: name, seq: Seq(1)))
                    == .store(.move(Self.alice, channel, .delivered(Seq(1)), session: "s1"), .ack))
        }
        #expect(code(receive(&session, .ack(channel: "broadcast:institution:lyom", seq: Seq(1)))) == .notSubscribed)
        #expect(code(receive(&session, .ack(channel: "broadcast:institution:lyon2", seq: Seq(1)))) == .notSubscribed)
        #expect(code(receive(&session, .ack(channel: "broadcasu:institution:lyon", seq: Seq(1)))) == .unknownChannel)
        #expect(code(receive(&session, .ack(channel: "inbox", seq: Seq(1)))) == .notSubscribed)
    }

    @Test(
        "all forms of mark-read have the same bound",
        arguments: [
            (ClientCommand.Body.markSeen(channel: "inbox", upTo: Seq(11)), ErrorCode.notSent),
            (.markRead(channel: "inbox", .upTo(Seq(11))), .notSent), (.markRead(channel: "inbox", .set([Seq(2), Seq(11)])), .notSent),
            (.markUnread(channel: "inbox", [Seq(11)]), .notSent), (.markRead(channel: "broadcast:system", .all), .notSubscribed),
        ])
    func marks(body: ClientCommand.Body, expected: ErrorCode) {
        var session = opened(following: ["inbox"])
        #expect(code(receive(&session, body)) == expected)
    }

    @Test("mark-read of all marks the entries that were sent to this session, and no newer ones")
    func markAll() {
        var session = opened(following: ["inbox"])
        #expect(
            receive(&session, .markRead(channel: "inbox", .all), sent: 7)
                == .store(.move(Self.alice, .inbox(Self.alice), .read(.upTo(Seq(7))), session: "s1"), .mark))
        #expect(
            receive(&session, .markRead(channel: "inbox", .all), sent: 0)
                == .store(.move(Self.alice, .inbox(Self.alice), .read(.upTo(.zero)), session: "s1"), .mark))
    }

    @Test("a user gets the progress of other members who have received entries, and not the user's own")
    func receipts() {
        let carol = UserID("carol")!
        let reached = MemberProgress(Self.bob, delivered: Seq(3), read: Seq(1))
        let state = ChannelState(
            channel: Channel(wireName: Self.conversation, for: Self.alice)!, head: Seq(3),
            progress: [
                MemberProgress(Self.alice, delivered: Seq(3), read: Seq(3)), reached, MemberProgress(carol, delivered: .zero, read: .zero),
            ])
        #expect(state.receipts(for: Self.alice) == [reached])
        #expect(state.receipts(for: Self.bob).map(\.user) == [Self.alice])
        #expect(state.receipts(for: carol).map(\.user) == [Self.alice, Self.bob])
    }

    @Test("users block others, never themselves")
    func blocks() {
        var session = opened()
        #expect(receive(&session, .block(user: Self.bob)) == .store(.block(Self.alice, Self.bob, most: 1_000), .block))
        #expect(receive(&session, .unblock(user: Self.bob)) == .store(.unblock(Self.alice, Self.bob), .block))
        #expect(receive(&session, .blocks) == .store(.blocks(Self.alice), .blocks))
        #expect(code(receive(&session, .block(user: Self.alice))) == .badRequest)
    }

    @Test("users send messages only to conversations and other users")
    func send() {
        var session = opened()
        let draft = ClientCommand.Send(target: .channel(Self.conversation), key: "k", body: "hello")
        guard case .store(.append(let entry, let most), .send(let channel)) = receive(&session, .send(draft)) else {
            Issue.record("a message was not stored")
            return
        }
        #expect(channel.wireName == Self.conversation)
        #expect(entry.source == "user:alice")
        #expect(entry.id == "k")
        #expect(entry.sender == Self.alice)
        #expect(entry.kind == .message)
        #expect(most == 20)
        #expect(code(receive(&session, .send(ClientCommand.Send(target: .channel("broadcast:system"), key: "k", body: "x")))) == .forbidden)
        #expect(code(receive(&session, .send(ClientCommand.Send(target: .channel("inbox"), key: "k", body: "x")))) == .forbidden)
        #expect(code(receive(&session, .send(ClientCommand.Send(target: .user(Self.alice), key: "k", body: "x")))) == .badRequest)
        #expect(code(receive(&session, .open(with: Self.alice, context: nil))) == .badRequest)
    }

    @Test("history of a channel that is not followed checks the right first")
    func history() {
        var session = opened(following: ["inbox"])
        #expect(
            receive(&session, .history(channel: "inbox", after: nil, before: nil, limit: 1_000))
                == .store(.page(.inbox(Self.alice), after: nil, before: nil, limit: 100), .history(.inbox(Self.alice))))
        let institution = Channel.broadcast("institution:paris")
        #expect(
            receive(&session, .history(channel: "broadcast:institution:paris", after: Seq(3), before: nil, limit: 10))
                == .store(
                    .state(Self.alice, institution, entitled: false), .historyRight(.init(after: Seq(3), before: nil, limit: 10))))
    }

    @Test("conversations are listed in pages, each after a given conversation")
    func conversations() {
        var session = opened()
        let channel = Channel(wireName: Self.conversation, for: Self.alice)!
        #expect(
            receive(&session, .conversations(before: Self.conversation, limit: 1_000))
                == .store(.conversations(Self.alice, before: channel, most: 100), .conversations))
        #expect(
            receive(&session, .conversations(before: nil, limit: 3))
                == .store(.conversations(Self.alice, before: nil, most: 3), .conversations))
        for name in ["inbox", "broadcast:system", "nonsense"] {
            #expect(code(receive(&session, .conversations(before: name, limit: 3))) == .unknownChannel)
        }
    }

    @Test("a feature that connect requires must be one of the hub's")
    func requiredFeatures() {
        var session = Session(id: "s1")
        #expect(code(receive(&session, .connect(token: "t", subscriptions: [], requires: ["tail", "telepathy"]))) == .unsupported)
        let known = ClientCommand.Body.connect(token: "t", subscriptions: [], requires: Feature.allCases.dropLast().map(\.rawValue))
        #expect(receive(&session, known) == .connect(.token("t"), []))
    }

    @Test("presence is a feature, and its command obeyed, only where it is switched on", arguments: [true, false])
    func presence(_ isOn: Bool) {
        var session = Session(id: "s1")
        var limits = Session.Limits()
        limits.sharesPresence = isOn
        func receive(_ body: ClientCommand.Body) -> Session.Action {
            session.receive(body, now: Timestamp(milliseconds: 0), limits: limits) { _ in nil }
        }
        #expect((receive(.connect(token: "t", subscriptions: [], requires: ["presence"])) == .connect(.token("t"), [])) == isOn)
        _ = session.identify(Self.identity())
        session.welcome()
        #expect((receive(.presence(.away)) == .sharePresence(.away)) == isOn)
    }

    @Test("a subscription starts at the head, behind a position, or before the newest entries")
    func starts() {
        #expect(SubscriptionStart.head.position(head: Seq(9)) == nil)
        #expect(SubscriptionStart.since(Seq(12)).position(head: Seq(9)) == Seq(12))
        #expect(SubscriptionStart.tail(0).position(head: Seq(9)) == Seq(9))
        #expect(SubscriptionStart.tail(4).position(head: Seq(9)) == Seq(5))
        #expect(SubscriptionStart.tail(.max).position(head: Seq(9)) == .zero)
    }

    @Test("more broadcasts than may be listed are noticed")
    func grantedBroadcasts() {
        let identity = Self.identity(roles: ["a", "b", "b"], channels: ["course:1"])
        #expect(identity.broadcasts(limit: 9).count == 5)
        #expect(!identity.grantsMoreBroadcasts(than: 5) && identity.grantsMoreBroadcasts(than: 4))
    }

    @Test("a change refers to the message and has a key of its own kind")
    func changes() {
        var session = opened()
        let channel = Channel(wireName: Self.conversation, for: Self.alice)!
        let edit = receive(&session, .edit(channel: Self.conversation, seq: Seq(3), key: "k", body: "new", data: "[1]"))
        guard case .store(.change(let change, of: Seq(3), to: #""body":"new","data":[1]"#), .send(channel)) = edit else {
            Issue.record("\(edit)")
            return
        }
        #expect(change.kind == .change && change.source == "change:alice" && change.id == "k" && change.sender == Self.alice)
        #expect(change.content == #""refers":3,"body":"new","data":[1]"#)
        #expect(change.weight(at: Timestamp(milliseconds: 0)) == .none)
        let delete = receive(&session, .delete(channel: Self.conversation, seq: Seq(3), key: "k"))
        guard case .store(.change(let retraction, of: Seq(3), to: nil), .send(channel)) = delete else {
            Issue.record("\(delete)")
            return
        }
        #expect(retraction.kind == .retraction && retraction.content == #""refers":3"#)
        for name in ["inbox", "broadcast:system"] {
            #expect(code(receive(&session, .edit(channel: name, seq: Seq(1), key: "k", body: "b"))) == .forbidden)
            #expect(code(receive(&session, .delete(channel: name, seq: Seq(1), key: "k"))) == .forbidden)
        }
    }

    @Test("typing signals are paced per conversation, and for conversations only")
    func typing() {
        var session = opened(following: ["inbox", Self.conversation])
        let channel = Channel(wireName: Self.conversation, for: Self.alice)!
        #expect(receive(&session, .typing(channel: Self.conversation), at: 1_000) == .typing(channel))
        #expect(receive(&session, .typing(channel: Self.conversation), at: 3_999) == .done)
        #expect(receive(&session, .typing(channel: Self.conversation), at: 4_000) == .typing(channel))
        let index = session.subscription(to: channel)!
        let left = session.left(at: index)
        session.joined(left)
        #expect(receive(&session, .typing(channel: Self.conversation), at: 6_999) == .done, "a new subscription is no way around it")
        #expect(receive(&session, .typing(channel: Self.conversation), at: 7_000) == .typing(channel))
        #expect(code(receive(&session, .typing(channel: "inbox"))) == .badRequest)
    }

    @Test("names are compared by bytes, also when they begin with a combining mark", arguments: ["\u{301}x", "\u{20DD}", "\u{1F3FD}"])
    func combiningMarks(name: String) {
        let inbox = Channel.inbox(UserID(name)!)
        #expect(Channel(storedName: inbox.storedName) == inbox)
        let identity = Identity(
            user: Self.alice, institution: name, roles: [name], channels: ["course:" + name], expiresAt: Timestamp(milliseconds: 0))
        #expect(identity.broadcasts(limit: 9) == ["system", "institution:" + name, "category:" + name, "course:" + name])
        let stranger = Identity(
            user: Self.alice, institution: nil, roles: [], channels: ["institution:" + name], expiresAt: Timestamp(milliseconds: 0))
        #expect(!stranger.isEntitled(to: .broadcast("institution:" + name)))
    }

    @Test("a session follows a bounded number of channels")
    func subscriptionLimit() {
        var session = opened(following: ["inbox"])
        var limits = Session.Limits()
        limits.subscriptions = 1
        let more = session.receive(
            .subscribe(channel: "broadcast:system"), now: Timestamp(milliseconds: 0), limits: limits
        ) { _ in .zero }
        #expect(code(more) == .limitExceeded)
        #expect(receive(&session, .subscribe(channel: "inbox", .since(Seq(2)))) == .restate(0, .since(Seq(2))))
    }

    @Test(
        "the token's claims give the right to follow broadcasts",
        arguments: [
            ("system", true), ("institution:lyon", true), ("institution:paris", false), ("category:reviewer", true),
            ("category:teacher", false), ("activity:7", true), ("activity:8", false),
        ])
    func entitlement(name: String, expected: Bool) {
        let identity = Self.identity(roles: ["reviewer"], channels: ["activity:7", "institution:paris"])
        #expect(identity.isEntitled(to: .broadcast(name)) == expected)
    }

    @Test("a combining mark at the start of a name does not change the text before it")
    func combiningMarks() throws {
        let name = "\u{301}cole"
        let user = try #require(UserID(name))
        #expect(Channel(storedName: Channel.inbox(user).storedName) == .inbox(user))
        let institution = Channel.broadcast("institution:" + name)
        #expect(Channel(storedName: institution.storedName) == institution)
        #expect(Self.identity(institution: name).isEntitled(to: institution))
        #expect(Self.identity(institution: name).broadcasts(limit: 10) == ["system", "institution:" + name])
    }

    @Test("a subscription gives no rights before the store confirms it")
    func notGranted() {
        var session = opened(following: [Self.conversation])
        func receive(_ body: ClientCommand.Body) -> Session.Action {
            session.receive(body, now: Timestamp(milliseconds: 0), limits: Session.Limits()) { _ in nil }
        }
        #expect(code(receive(.ack(channel: Self.conversation, seq: .zero))) == .notSubscribed)
        #expect(code(receive(.markRead(channel: Self.conversation, .all))) == .notSubscribed)
        #expect(code(receive(.typing(channel: Self.conversation))) == .notSubscribed)
        guard
            case .store(.state(_, _, false), .historyRight) = receive(
                .history(channel: Self.conversation, after: nil, before: nil, limit: 1))
        else {
            Issue.record("history without a look at the right")
            return
        }
        #expect(receive(.unsubscribe(channel: Self.conversation)) == .unsubscribe(0))
    }

    @Test("a refreshed token with fewer rights ends the subscriptions that need the lost rights")
    func refreshLosesRights() {
        let old = Self.identity(institution: "lyon", roles: ["reviewer"])
        var session = Session(id: "s1")
        _ = session.identify(old)
        for name in ["inbox", "broadcast:system", "broadcast:institution:lyon", "broadcast:category:reviewer"] {
            session.joined(.init(channel: Channel(wireName: name, for: Self.alice)!, roster: 0, slot: 0, registration: 0))
        }
        _ = session.identify(Self.identity(institution: "lyon", roles: []))
        #expect(session.lostSubscriptions(from: old) == [3])
    }
}
