import Auth
import Bus
import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("The sessions of a loop: their tokens", .guarded)
struct SessionTokenTests {
    static func connect(_ token: String) -> String { #"{"id":1,"type":"connect","token":"\#(token)"}"# }

    /// The same header and claims under a signature that is none.
    static func forged(_ token: String) -> String { token.prefix { $0 != "." } + ".e30.AAAA" }

    static func isUnavailable(_ bench: SessionBench, _ id: SessionID) -> Bool {
        bench.clients.texts(id).contains { $0.contains(#""code":"unavailable""#) }
    }

    // MARK: Keys that are not known yet
    @Test("each token that waits for a key is answered at its deadline, in order")
    func waitedInVain() throws {
        let bench = try SessionBench { $0.keyWait = .milliseconds(1) }
        let stranger = try TokenSigner.generate()
        let keys = try (0..<3).map { number in
            let key = bench.open()
            bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("user \(number)", with: stranger))"}"#)
            bench.turn()
            return key
        }
        while bench.sessions.authentication.waiting.nextDeadline != nil { bench.turn() }
        for key in keys { #expect(bench.clients.texts(key).count { $0.contains(#""code":"unavailable""#) } == 1) }
        #expect(bench.clients.closed.isEmpty)
    }

    @Test("a bounded number of tokens wait for their keys; further clients are asked to try again")
    func tooManyWaiting() throws {
        let bench = try SessionBench()
        let token = try bench.token("ann", with: try TokenSigner.generate())
        for _ in 0..<WaitingTokens.most { bench.say(bench.open(), #"{"id":1,"type":"connect","token":"\#(token)"}"#) }
        let late = bench.open()
        bench.say(late, #"{"id":1,"type":"connect","token":"\#(token)"}"#)
        #expect(bench.clients.texts(late).count { $0.contains(#""code":"unavailable""#) } == 1)
        #expect(bench.sessions.authentication.waiting.count == WaitingTokens.most)
    }

    @Test("a forged token that names tomorrow's key does not get that key's genuine tokens refused")
    func forgedBeforeGenuine() throws {
        let bench = try SessionBench()
        let tomorrow = try TokenSigner.generate()
        let (eve, ann) = (bench.open(), bench.open())
        bench.say(eve, Self.connect(Self.forged(try bench.token("eve", with: tomorrow))))
        let asked = MonotonicInstant.now
        // The provider makes the key while its answer without it is on its way.
        bench.say(ann, Self.connect(try bench.token("ann", with: tomorrow)))
        try bench.publish([bench.signer], asOf: asked)
        #expect(bench.clients.closed == [eve: .tokenInvalid])
        #expect(bench.clients.texts(ann).isEmpty, "it still waits")
        #expect(bench.sessions.authentication.waiting.count == 1)
        try bench.publish([bench.signer, tomorrow])
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        #expect(bench.sessions.isConnected(ann))
    }

    @Test("a token whose key could not be fetched in time is refused temporarily, and may come again")
    func unanswered() throws {
        let bench = try SessionBench { $0.keyWait = .milliseconds(1) }
        let stranger = try TokenSigner.generate()
        let ann = bench.open()
        let token = try bench.token("ann", with: stranger)
        // What the source said before the token came says nothing about it.
        try bench.publish([bench.signer])
        bench.say(ann, Self.connect(token))
        while bench.sessions.authentication.waiting.nextDeadline != nil { bench.turn() }
        #expect(Self.isUnavailable(bench, ann))
        #expect(bench.clients.closed.isEmpty)
        // Now it does, and the next attempt need not wait.
        try bench.publish([bench.signer])
        bench.say(ann, Self.connect(token))
        #expect(bench.clients.closed == [ann: .tokenInvalid])
        let bob = bench.open()
        bench.say(bob, Self.connect(try bench.token("bob", with: stranger)))
        #expect(bench.clients.closed[bob] == nil, "another token of that key is as doubtful as the first was")
    }

    @Test("the token of a request is doubtful until its key was asked for")
    func requestToken() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        let token = try bench.token("ann", with: try TokenSigner.generate())
        #expect(bench.sessions.isCredential(.token(token), of: ann) == nil)
        #expect(bench.sessions.isCredential(.token(token), of: ann) == nil)
        try bench.publish([bench.signer])
        #expect(bench.sessions.isCredential(.token(token), of: ann) == .failure(.unknownKey))
    }

    @Test("the memory of doubtful tokens is bounded, and forgetting one makes it doubtful again")
    func boundedDoubts() {
        var doubtful = DoubtfulTokens()
        func isDecided(_ token: String, _ nanoseconds: Int64) -> Bool {
            doubtful.isDecided(token, at: MonotonicInstant(nanoseconds: nanoseconds))
        }
        #expect(!isDecided("a", 1))
        doubtful.heard(asOf: MonotonicInstant(nanoseconds: 2))
        #expect(isDecided("a", 3))
        for number in 0..<DoubtfulTokens.most { #expect(!isDecided("token \(number)", 3)) }
        #expect(!isDecided("a", 3))
    }

    @Test("only the tokens that are due or decided stop waiting")
    func takenTokens() {
        var waiting = WaitingTokens()
        let start = MonotonicInstant.now
        for number in 0..<4 {
            let isTaken = waiting.append(
                .init(
                    session: SessionID(slot: UInt32(number), generation: 0), origin: .none, token: "\(number)", use: .refresh,
                    since: start, deadline: start + .seconds(number)))
            #expect(isTaken)
        }
        let taken = waiting.take { $0.token == "0" || $0.token == "3" }
        #expect(taken.map(\.session.slot) == [0, 3])
        let due = waiting.takeDue(at: start + .seconds(1))
        #expect(due.map(\.session.slot) == [1])
        #expect(waiting.count == 1)
    }

    // MARK: Keys that are withdrawn

    @Test("a withdrawn key ends the sessions of its tokens, and no others")
    func withdrawnKey() throws {
        let bench = try SessionBench()
        let other = try TokenSigner.generate()
        let ann = try bench.connect("ann")
        try bench.publish([bench.signer, other])
        let (bob, eve) = (bench.open(), bench.open())
        bench.say(bob, Self.connect(try bench.token("bob", with: other)))
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        // Its connect is not answered yet.
        bench.say(eve, Self.connect(try bench.token("eve")))
        try bench.publish([other])
        bench.turn()
        #expect(bench.clients.closed == [ann: .tokenRevoked, eve: .tokenRevoked])
        #expect(bench.sessions.isConnected(bob))
    }

    @Test("after a refresh the new token's key counts, and after a refused one the old token's")
    func keyOfRefresh() throws {
        let bench = try SessionBench()
        let other = try TokenSigner.generate()
        let (ann, bob) = (try bench.connect("ann"), try bench.connect("bob"))
        try bench.publish([bench.signer, other])
        bench.say(ann, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann", with: other))"}"#)
        bench.say(bob, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann", with: other))"}"#)
        #expect(bench.clients.texts(bob).contains { $0.contains(#""code":"subject_changed""#) })
        try bench.publish([other])
        bench.turn()
        #expect(bench.clients.closed == [bob: .tokenRevoked])
    }

    @Test("keys that are too old end no session, and count as withdrawn when new keys come without them")
    func tooOldKeys() throws {
        let bench = try SessionBench()
        let other = try TokenSigner.generate()
        let ann = try bench.connect("ann")
        bench.inbox.hear(.tooOld)
        bench.turn()
        #expect(bench.clients.closed.isEmpty)
        let late = bench.open()
        bench.say(late, Self.connect(try bench.token("late")))
        #expect(bench.store.take().isEmpty, "no key verifies its token now")
        try bench.publish([bench.signer])
        bench.turn()
        #expect(bench.clients.closed.isEmpty)
        bench.inbox.hear(.tooOld)
        bench.turn()
        try bench.publish([other])
        bench.turn()
        #expect(bench.clients.closed[ann] == .tokenRevoked)
    }

    @Test("many sessions of a withdrawn key end in slices, all of them")
    func manySessions() throws {
        let bench = try SessionBench()
        let sessions = try (0..<200).map { try bench.connect("user \($0)") }
        try bench.publish([try TokenSigner.generate()])
        #expect(bench.clients.closed.count < sessions.count)
        for _ in 0..<4 { bench.turn() }
        #expect(bench.clients.closed.count == sessions.count)
    }

    // MARK: How long a session lives

    @Test("a token accepted within the leeway after exp opens a session that ends with the leeway")
    func withinLeeway() throws {
        let bench = try SessionBench()
        let ann = bench.open()
        let before = WallClock.now() / 1_000
        bench.say(ann, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann", lifetime: -10))"}"#)
        let made = before...WallClock.now() / 1_000
        bench.turn()
        bench.answer(try #require(bench.store.take().first), .snapshot([], more: false))
        // Ten seconds ago, and thirty of leeway.
        let expiry = try #require(bench.sessions.state.table[ann]?.session.identity?.expiresAt)
        #expect(made.contains { expiry.milliseconds == ($0 + 20) * 1_000 })
        let told = try #require(bench.clients.texts(ann).first?.firstMatch(of: /"tokenExpiresAt":"([^"]+)"/)?.1)
        #expect(told == expiry.rfc3339)
    }

    @Test("a session has a longest life whatever its token says, and a refresh starts it anew")
    func longestLife() throws {
        let bench = try SessionBench { $0.life = .seconds(600) }
        let ann = try bench.connect("ann")
        let never: Int64 = Principal.latestExpiry - WallClock.now() / 1_000
        let key = bench.open()
        bench.say(key, Self.connect(try bench.token("bob", lifetime: never)))
        let end = { (id: SessionID) in bench.sessions.state.table[id]?.session.identity?.expiresAt.milliseconds ?? 0 }
        #expect((599_000...600_000).contains(end(key) - WallClock.now()))
        #expect((599_000...600_000).contains(end(ann) - WallClock.now()), "its token ends after 600 s and the leeway")
        bench.say(ann, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann", lifetime: 60))"}"#)
        #expect((89_000...90_000).contains(end(ann) - WallClock.now()))
        bench.say(ann, #"{"id":3,"type":"refresh","token":"\#(try bench.token("ann", lifetime: never))"}"#)
        #expect((599_000...600_000).contains(end(ann) - WallClock.now()))
        let told = try #require(bench.clients.texts(ann).last?.firstMatch(of: /"tokenTtlMs":([0-9]+)/)?.1)
        #expect((599_000...600_000).contains(Int(told) ?? 0))
    }

    @Test("a session whose longest life is over ends with 4300")
    func endOfLife() throws {
        let bench = try SessionBench { $0.life = .milliseconds(20) }
        let ann = try bench.connect("ann")
        while bench.clients.closed.isEmpty { bench.turn() }
        #expect(bench.clients.closed == [ann: .tokenExpired])
    }

    // MARK: Refused refreshes

    @Test("after a refused refresh the session goes on with its old token's rights and end")
    func refusedRefresh() throws {
        let bench = try SessionBench { $0.keyWait = .milliseconds(1) }
        let own = Channel.broadcast("institution:u1")
        let ann = try bench.connect("ann", following: [ChannelState(channel: own)], institution: "u1")
        let before = bench.sessions.state.table[ann]?.session.identity
        let refused = [
            ("token_expired", try bench.token("ann", lifetime: -60)), ("invalid_token", Self.forged(try bench.token("ann"))),
            ("subject_changed", try bench.token("bob")), ("unavailable", try bench.token("ann", with: try TokenSigner.generate())),
        ]
        for (id, (code, token)) in refused.enumerated() {
            bench.clients.forget()
            bench.say(ann, #"{"id":\#(id + 10),"type":"refresh","token":"\#(token)"}"#)
            while bench.sessions.authentication.waiting.nextDeadline != nil { bench.turn() }
            #expect(bench.clients.texts(ann).contains { $0.hasPrefix(#"{"re":\#(id + 10),"error":{"code":"\#(code)""#) })
        }
        #expect(bench.clients.closed.isEmpty)
        let after = bench.sessions.state.table[ann]?.session.identity
        #expect(before != nil && after == before)
        bench.hear(.entries([try SessionLoopTests().entry(1, in: own)]))
        #expect(bench.clients.seqs(ann) == [1])
    }

    // MARK: Memberships

    @Test("a membership that ends takes no channel that the token grants")
    func grantedTwice() throws {
        let bench = try SessionBench()
        let own = Channel.broadcast("institution:u1")
        let followed = [own, SessionLoopTests.secret].map { ChannelState(channel: $0) }
        let ann = try bench.connect("ann", following: followed, institution: "u1")
        bench.hear(.withdrawn(own, from: try user("ann")))
        bench.hear(.withdrawn(SessionLoopTests.secret, from: try user("ann")))
        let signals = bench.clients.texts(ann).filter { $0.contains(#""signal":"unsubscribed""#) }
        #expect(signals.count == 1 && signals[0].contains(SessionLoopTests.secret.wireName))
        bench.hear(.entries([try SessionLoopTests().entry(1, in: own)]))
        #expect(bench.clients.seqs(ann) == [1])
    }

    @Test("refresh asks the store again for what the member table grants")
    func refreshJudgesMemberships() throws {
        let bench = try SessionBench()
        let secret = SessionLoopTests.secret
        let ann = try bench.connect("ann", following: [ChannelState(channel: SessionLoopTests.system), ChannelState(channel: secret)])
        bench.say(ann, #"{"id":2,"type":"refresh","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        let orders = bench.store.take()
        try #require(orders.map(\.request) == [.state(try user("ann"), secret, entitled: false)])
        bench.answer(orders[0], .failed(.forbidden))
        #expect(bench.clients.texts(ann).contains { $0.contains(#""signal":"unsubscribed""#) && $0.contains(secret.wireName) })
        bench.hear(.entries([try SessionLoopTests().entry(1, in: secret)]))
        #expect(bench.clients.seqs(ann).isEmpty)
    }
}
