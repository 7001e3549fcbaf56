import HangGuard
import Testing

@testable import Messaging

@Suite("Session: answers of the store", .guarded)
struct StoreAnswerTests {
    static let alice = UserID("alice")!
    static let bob = UserID("bob")!
    static let conversation = Channel(storedName: "conversation:0a1b2c3d-0000-4000-8000-000000000001")!
    static let state = ChannelState(channel: conversation, head: Seq(3), cursorVersion: 2, members: [alice, bob])
    static let moved = StoreReply.moved(MovedCursor(alice, state, isProgress: true, session: "s1"), changed: true)
    static let draft = ClientCommand.Send(target: .user(bob), key: "k", body: "hello")

    private func session(following channels: [Channel] = []) -> Session {
        var session = Session(id: "s1")
        _ = session.identify(
            Identity(user: Self.alice, institution: nil, roles: [], channels: [], expiresAt: Timestamp(milliseconds: 1_000_000)))
        session.welcome()
        for channel in channels { session.joined(.init(channel: channel, roster: 0, slot: 0, registration: 0)) }
        return session
    }

    private func answer(
        _ reply: StoreReply, to purpose: Session.Purpose, re id: UInt64? = 7, following channels: [Channel] = []
    ) -> (answer: Session.Answer, text: String) {
        var output: [UInt8] = []
        let answer = session(following: channels).answer(reply, to: purpose, re: id, limits: Session.Limits(), into: &output)
        return (answer, String(decoding: output, as: UTF8.self))
    }

    static let stored = StoredDraft(seq: Seq(4), createdAt: Timestamp(milliseconds: 0), duplicate: false)

    static let told: [(StoreReply, Session.Purpose, String)] = [
        (moved, .ack, #"{"re":7,"ok":{"channel":"\#(conversation.wireName)","delivered":0}}"#),
        (
            moved, .mark,
            #"{"re":7,"ok":{"channel":"\#(conversation.wireName)","delivered":0,"seen":0,"read":0,"readAlso":[],"unread":0,"unseen":0,"urgent":0,"version":5}}"#
        ),
        (
            .stored([stored]), .send(conversation),
            #"{"re":7,"ok":{"channel":"\#(conversation.wireName)","seq":4,"createdAt":"1970-01-01T00:00:00.000Z","duplicate":false}}"#
        ),
        (
            .page([], head: Seq(3), more: false), .history(conversation),
            #"{"re":7,"ok":{"channel":"\#(conversation.wireName)","entries":[],"head":3,"more":false}}"#
        ),
        (.blockChanged, .block, #"{"re":7,"ok":{}}"#), (.blocks([]), .blocks, #"{"re":7,"ok":{"users":[]}}"#),
        (.blocks([alice, bob]), .blocks, #"{"re":7,"ok":{"users":["alice","bob"]}}"#),
        (.snapshot([], more: true), .conversations, #"{"re":7,"ok":{"channels":[],"more":true}}"#),
    ]

    @Test("an answer becomes the command's reply; a command without an id gets none", arguments: told)
    func replies(reply: StoreReply, purpose: Session.Purpose, text: String) {
        #expect(answer(reply, to: purpose) == (.told, text))
        #expect(answer(reply, to: purpose, re: nil) == (.told, ""))
    }

    @Test("the reply says that a conversation is followed when the session follows it", arguments: [true, false])
    func followed(isFollowed: Bool) {
        let following = isFollowed ? [Self.conversation] : []
        let opened = answer(.opened(Self.state, created: true), to: .open, following: following)
        #expect(opened.answer == .told)
        #expect(opened.text.contains(#""subscribed":\#(isFollowed)"#))
        let listed = answer(.snapshot([Self.state], more: false), to: .conversations, following: following)
        #expect(listed.text.contains(#""subscribed":\#(isFollowed)"#))
    }

    @Test("a message to a user is stored in the conversation that was opened for it")
    func openThenSend() {
        #expect(
            answer(.opened(Self.state, created: false), to: .openThenSend(Self.draft))
                == (
                    .store(
                        .append(Self.draft.entry(from: Self.alice, in: Self.conversation), mostUnanswered: 20), .send(Self.conversation)),
                    ""
                ))
    }

    @Test("the history of a channel that is not followed is read after the right is confirmed")
    func historyRight() {
        let page = ClientCommand.History.Page(after: Seq(1), before: nil, limit: 5)
        #expect(
            answer(.state(Self.state), to: .historyRight(page))
                == (.store(.page(Self.conversation, after: Seq(1), before: nil, limit: 5), .history(Self.conversation)), ""))
    }

    @Test("a page shows the reader a placeholder for what is hidden from them, and others the entry")
    func hiddenEntries() {
        let draft = ClientCommand.Send(target: .channel("c"), key: "k", body: "secret").entry(from: Self.bob, in: Self.conversation)
        for (hiddenFrom, isShown) in [([Self.alice], false), ([Self.bob], true), ([], true), ([Self.bob, Self.alice], false)] {
            let entry = Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft, hiddenFrom: hiddenFrom)
            let page = answer(.page([entry], head: Seq(1), more: false), to: .history(Self.conversation)).text
            for word in ["secret", "bob", "message"] { #expect(page.contains(word) == isShown) }
            #expect(page.contains(#""kind":"hidden""#) == !isShown)
        }
    }

    @Test("why tells who made an entry, in both languages, and of a hidden one nothing else")
    func why() {
        let inbox = Channel.inbox(Self.alice)
        func text(_ draft: EntryDraft, hiddenFrom: [UserID] = []) -> String {
            let entry = Entry(seq: Seq(5), createdAt: Timestamp(milliseconds: 0), draft: draft, hiddenFrom: hiddenFrom)
            let told = answer(.page([entry], head: Seq(9), more: true), to: .why(draft.channel, Seq(5)))
            #expect(told.0 == .told)
            return told.text
        }
        func event(_ source: String, in channel: Channel, _ kind: EntryDraft.Kind = .notification) -> EntryDraft {
            EntryDraft(channel: channel, source: source, id: "1", kind: kind, eventType: "review.asked", content: "")
        }
        #expect(
            text(event("rule:asked", in: inbox))
                == #"{"re":7,"ok":{"channel":"inbox","seq":5,"event":"review.asked","by":"rule","rule":"asked","reason":{"fr":"Quelque chose a changé sur la plateforme, et la règle « asked » l’a envoyée à vous personnellement.","en":"Something changed in the platform, and the rule “asked” sent this to you personally."},"mute":"review.asked"}}"#
        )
        let broadcast = text(event("hub", in: .broadcast("system"), .system))
        #expect(
            broadcast.contains(#""by":"service""#) && broadcast.contains("everybody who may follow “system”") && !broadcast.contains("mute")
        )
        let message = ClientCommand.Send(target: .channel("c"), key: "k", body: "secret").entry(from: Self.bob, in: Self.conversation)
        #expect(text(message).contains("bob wrote it") && !text(message).contains("secret"))
        let hidden = text(message, hiddenFrom: [Self.alice])
        #expect(hidden.contains(#""event":"hidden","by":"hidden""#) && !hidden.contains("bob"))
        let own = ClientCommand.Send(target: .channel("c"), key: "k", body: "x").entry(from: Self.alice, in: Self.conversation)
        #expect(text(own).contains("You wrote it."))
        #expect(text(.retraction(of: Seq(4), in: inbox)).contains(#""by":"change""#))
        guard case .refuse(let refusal) = answer(.page([], head: Seq(4), more: false), to: .why(inbox, Seq(5))).0 else {
            Issue.record("an entry that does not exist has a reason")
            return
        }
        #expect(refusal.code == .badRequest && refusal.reason.hasPrefix("seq: "))
        #expect(
            answer(.state(Self.state), to: .whyRight(Seq(5))).0
                == .store(.page(Self.conversation, after: Seq(4), before: nil, limit: 1), .why(Self.conversation, Seq(5))))
    }

    static let purposes: [Session.Purpose] = [
        .ack, .mark, .open, .openThenSend(draft), .send(conversation), .history(conversation),
        .historyRight(.init(after: nil, before: nil, limit: 1)), .conversations, .block, .blocks,
        .why(conversation, Seq(1)), .whyRight(Seq(1)),
    ]

    @Test("a failure gives the same error for every command", arguments: purposes)
    func failures(purpose: Session.Purpose) {
        for (failure, code) in [
            (StoreFailure.forbidden, ErrorCode.forbidden), (.unavailable, .unavailable), (.tooSlow, .unavailable),
            (.noSuchEntry, .badRequest), (.notChangeable, .badRequest), (.unanswered, .limitExceeded),
            (.tooManyConversations, .limitExceeded), (.tooManyBlocks, .limitExceeded), (.tooScattered, .limitExceeded),
        ] {
            guard case (.refuse(let refusal), "") = answer(.failed(failure), to: purpose) else {
                Issue.record("\(failure) does not refuse \(purpose)")
                continue
            }
            #expect(refusal.code == code)
            #expect(refusal.fault == nil)
        }
    }

    @Test("an unexpected answer and refused data are bugs of the hub: they are logged, and the client gets no detail", arguments: purposes)
    func faults(purpose: Session.Purpose) {
        for reply in [StoreReply.stored([]), .failed(.refused("secret"))] {
            guard case (.refuse(let refusal), "") = answer(reply, to: purpose) else {
                Issue.record("\(reply) does not refuse \(purpose)")
                continue
            }
            #expect(refusal.code == .internal)
            #expect(refusal.fault != nil)
            #expect(!refusal.reason.contains("secret"))
        }
    }
}
