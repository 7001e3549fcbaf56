import HangGuard
import Messaging
import TestKit
import Testing

@Suite("Switches: which counts for whom, and until when", .guarded)
struct SwitchboardTests {
    private func identity(
        _ name: String = "ann", institution: String? = "lyon", roles: [String] = ["STUDENT"], channels: [String] = []
    ) throws -> Identity {
        Identity(
            user: try user(name), institution: institution, roles: roles, channels: channels, expiresAt: Timestamp(milliseconds: 0))
    }

    private func scope(_ text: String) throws -> SwitchScope { try #require(SwitchScope(text)) }

    private func board(_ lines: (SwitchedFeature, String, SwitchMode)...) throws -> Switchboard {
        Switchboard(try lines.map { Switch($0.0, for: try scope($0.1), $0.2) })
    }

    @Test(
        "a scope is read as it is written, and every other text is none",
        arguments: ["system", "institution:x", "category:STAFF", "user:a:b", "activity:7"])
    func scopes(_ text: String) throws {
        #expect(try scope(text).text == text)
    }

    @Test("no scope", arguments: ["", "user:", "institution:", "ann", ":x", "user:\n", String(repeating: "a", count: 400) + ":b"])
    func noScopes(_ text: String) { #expect(SwitchScope(text) == nil) }

    @Test("scopes are compared by their bytes")
    func bytes() throws {
        #expect(try scope("user:\u{E9}") != scope("user:e\u{301}"))
        #expect(try scope("institution:\u{301}x") == scope("institution:\u{301}x"))
    }

    @Test("without a switch everything is on")
    func nothing() throws {
        let board = Switchboard()
        #expect(board.isEmpty && board.nextEnd == nil && board.pauses.isEmpty)
        for feature in SwitchedFeature.allCases { #expect(board.effective(feature, for: try identity()) == nil) }
        #expect(board.told(to: try identity(), following: [.broadcast("activity:7")]).isEmpty)
    }

    @Test("the most specific scope counts: user, context, category, institution, system")
    func precedence() throws {
        let scopes = ["system", "institution:lyon", "category:STUDENT", "activity:7", "user:ann"]
        for (index, narrow) in scopes.enumerated() {
            for wide in scopes[..<index] {
                let off = try board((.systemNotifications, wide, .off), (.systemNotifications, narrow, .on))
                #expect(off.effective(.systemNotifications, for: try identity(), in: "activity:7") == nil, "\(narrow) before \(wide)")
                let on = try board((.systemNotifications, wide, .on), (.systemNotifications, narrow, .store))
                let expected = try scope(narrow)
                #expect(on.effective(.systemNotifications, for: try identity(), in: "activity:7")?.scope == expected)
            }
        }
    }

    @Test("a switch concerns nobody else, and no other feature")
    func others() throws {
        let board = try board(
            (.directMessages, "institution:lyon", .off), (.directMessages, "category:STAFF", .off), (.directMessages, "user:bob", .off),
            (.directMessages, "activity:7", .off))
        let other = try identity("cat", institution: "paris")
        #expect(board.effective(.directMessages, for: other) == nil)
        #expect(board.effective(.directMessages, for: other, in: "activity:8") == nil)
        #expect(board.effective(.directMessages, for: other, in: "activity:7") != nil)
        #expect(board.effective(.groupMessages, for: try identity("bob")) == nil)
        #expect(board.effective(.directMessages, for: try identity("dan", institution: nil, roles: ["X", "STAFF"])) != nil)
    }

    @Test(
        "of two categories the stricter switch counts",
        arguments: [
            (SwitchMode.on, SwitchMode.slow(seconds: 5)), (.slow(seconds: 5), .slow(seconds: 60)), (.slow(seconds: 3_600), .store),
            (.store, .off),
        ])
    func strictness(_ mild: SwitchMode, _ strict: SwitchMode) throws {
        for (first, second) in [(mild, strict), (strict, mild)] {
            let board = try board((.userNotifications, "category:A", first), (.userNotifications, "category:B", second))
            #expect(board.effective(.userNotifications, for: try identity(roles: ["A", "B"]))?.mode == strict)
        }
    }

    @Test("switches end by themselves, one after the other")
    func ends() throws {
        func time(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1_000) }
        var board = Switchboard([
            Switch(.signals, for: .system, .off, until: time(10)), Switch(.presence, for: .system, .off, until: time(20)),
            Switch(.realtime, for: .system, .off),
        ])
        #expect(board.nextEnd == time(10))
        board.drop(upTo: Timestamp(milliseconds: 9_999))
        #expect(board.count == 3)
        board.drop(upTo: time(10))
        #expect(board.count == 2 && board.nextEnd == time(20) && !board.concerns(.signals))
        board.drop(upTo: time(1_000))
        #expect(board.count == 1 && board.nextEnd == nil && board.concerns(.realtime))
    }

    @Test(
        "how entries are delivered",
        arguments: [
            ("inbox", SwitchedFeature.userNotifications), ("broadcast:system", .systemNotifications),
            ("broadcast:activity:7", .systemNotifications), ("direct", .directMessages), ("group", .groupMessages),
        ])
    func delivery(_ name: String, _ feature: SwitchedFeature) throws {
        let ann = try identity()
        let talk = "conversation:0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d"
        let isTalk = name == "direct" || name == "group"
        let channel = try #require(Channel(wireName: isTalk ? talk : name, for: ann.user))
        for other in SwitchedFeature.allCases {
            for (mode, expected) in [
                (SwitchMode.store, Switchboard.Delivery.held), (.slow(seconds: 30), .every(seconds: 30)), (.off, isTalk ? .atOnce : .held),
            ] {
                let found = try board((other, "system", mode)).delivery(in: channel, isGroup: name == "group", to: ann)
                #expect(found == (other == feature ? expected : .atOnce), "\(other.rawValue) \(mode.name)")
            }
        }
    }

    @Test("a client is told what is not on for it, and the contexts that it follows")
    func told() throws {
        let board = try board(
            (.realtime, "user:bob", .off), (.signals, "system", .off), (.systemNotifications, "activity:7", .store),
            (.directMessages, "activity:7", .off), (.directMessages, "system", .off), (.directMessages, "user:ann", .on))
        let told = board.told(to: try identity(), following: [.inbox(try user("ann")), .broadcast("activity:7")])
        #expect(told == [Switch(.signals, for: .system, .off), Switch(.systemNotifications, for: try scope("activity:7"), .store)])
        #expect(board.told(to: try identity(), following: []).map(\.feature) == [.signals])
    }

    @Test("what the push says")
    func push() throws {
        var bytes: [UInt8] = []
        let switched = [
            Switch(.userNotifications, for: .system, .slow(seconds: 30), until: Timestamp(milliseconds: 1_000)),
            Switch(.systemNotifications, for: try scope("activity:7"), .off),
        ]
        ServerMessage.control(switched, into: &bytes)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"type":"control","switched":[{"feature":"user-notifications","mode":"slow","everyMs":30000,"until":"1970-01-01T00:00:01.000Z","text":{"fr":"Les notifications arrivent avec un délai.","en":"Notifications arrive with a delay."}},{"feature":"system-notifications","mode":"off","context":"activity:7","text":{"fr":"Les annonces sont conservées et arriveront plus tard.","en":"Announcements are kept and will arrive later."}}]}"#
        )
    }

    @Test("a refusal says when the feature is on again, and asks nobody to wait for long")
    func refusal() {
        let now = Timestamp(milliseconds: 1_000)
        let soon = Refusal(Switch(.directMessages, for: .system, .off, until: Timestamp(milliseconds: 6_000)), now: now)
        #expect(soon == Refusal(.featureOff, "direct-messages is switched off until 1970-01-01T00:00:06.000Z", retryAfter: .seconds(5)))
        let late = Refusal(Switch(.directMessages, for: .system, .off, until: .latest), now: now)
        #expect(late.retryAfter == .seconds(600))
        #expect(Refusal(Switch(.realtime, for: .system, .off), now: now).retryAfter == .seconds(60))
    }

    @Test("a slow switch has a pause within bounds", arguments: [(4, false), (5, true), (3_600, true), (3_601, false)])
    func pauses(_ seconds: Int, _ isGood: Bool) { #expect((SwitchMode(name: "slow", seconds: seconds) != nil) == isGood) }
}

@Suite("Subscriber: entries that are held", .guarded)
struct HeldEntriesTests {
    private static let system = Channel.broadcast("system")

    private func live(at head: UInt64 = 5) -> Subscriber {
        var one = Subscriber(session: SessionID(slot: 1, generation: 0), user: 7)
        _ = one.open(ChannelState(channel: Self.system, head: Seq(head)), since: nil)
        return one
    }

    private func admit(_ one: inout Subscriber, _ seq: UInt64) -> Subscriber.Admission {
        one.admit(Seq(seq), author: 0, weight: .normal, isCongested: false)
    }

    @Test("a subscriber fits one cache line")
    func size() { #expect(MemoryLayout<Subscriber?>.stride <= 64) }

    @Test("held entries stay in the store, and are read from where the session was when they are held no longer")
    func held() {
        var one = live()
        #expect(one.set(.held) == false)
        #expect(admit(&one, 6) == .replay)
        #expect(admit(&one, 7) == .skip)
        #expect(one.startPage() == nil)
        #expect(one.position == Seq(5))
        #expect(one.set(.none) == true)
        #expect(one.startPage() == Seq(5))
        #expect(one.takePage(from: Seq(5)) == true)
        for seq in [6, 7] as [UInt64] { #expect(one.admitReplayed(Seq(seq), author: 0, weight: .normal) == true) }
        #expect(one.finishPage(head: Seq(7), more: false) == true)
        #expect(admit(&one, 8) == .deliver)
    }

    @Test("a page that was asked for before is not used while entries are held, and asked for again")
    func pageUnderWay() {
        var one = live()
        one.suspect()
        #expect(one.startPage() == Seq(5))
        _ = one.set(.held)
        #expect(one.takePage(from: Seq(5)) == false)
        #expect(one.startPage() == nil)
        #expect(one.set(.none) == true)
        #expect(one.startPage() == Seq(5))
    }

    @Test("with a turn the session catches up once, and is held again")
    func turn() {
        var one = live()
        _ = one.set(.held)
        #expect(one.set(.turn) == false, "there is nothing to read")
        #expect(one.hold == .held)
        _ = admit(&one, 6)
        #expect(one.set(.turn) == true)
        #expect(one.startPage() == Seq(5))
        #expect(one.takePage(from: Seq(5)) == true)
        #expect(one.admitReplayed(Seq(6), author: 0, weight: .normal) == true)
        #expect(admit(&one, 7) == .skip, "it waits for the next page")
        #expect(one.finishPage(head: Seq(6), more: false) == false)
        #expect(one.startPage() == Seq(6))
        #expect(one.takePage(from: Seq(6)) == true)
        #expect(one.admitReplayed(Seq(7), author: 0, weight: .normal) == true)
        #expect(one.finishPage(head: Seq(7), more: false) == true)
        #expect(one.hold == .held)
        #expect(admit(&one, 8) == .replay)
        #expect(one.startPage() == nil)
    }
}
