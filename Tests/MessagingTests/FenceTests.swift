import HangGuard
import Messaging
import TestKit
import Testing

/// The ends of logins and rights.
@Suite("Fences", .guarded) struct FenceTests {
    static let now = Timestamp(milliseconds: 1_000_000)

    static func identity(_ name: String, login: String? = nil, issuedAt: Int64? = 900_000) throws -> Identity {
        Identity(
            user: try user(name), institution: nil, roles: [], channels: [], expiresAt: Timestamp(milliseconds: 2_000_000),
            login: login.map { LoginMark($0) }, issuedAt: issuedAt.map { Timestamp(milliseconds: $0) })
    }

    static func fence(
        _ name: String?, login: String? = nil, _ reason: Fence.Reason = .revoked, upTo: Int64 = 950_000, until: Int64 = 1_500_000
    ) throws -> Fence {
        try #require(
            Fence(
                user: try name.map { try user($0) }, login: login.map { LoginMark($0) }, reason: reason,
                issuedUpTo: Timestamp(milliseconds: upTo), expiresAt: Timestamp(milliseconds: until)))
    }

    static func isNew(_ fence: Fence, in fences: inout Fences, _ now: Timestamp = now) -> Bool { fences.note(fence, now: now) }

    @Test("it holds back older proofs of its user, of its login, or of both")
    func scopes() throws {
        let (ann, bob) = (try Self.identity("ann", login: "s1"), try Self.identity("bob", login: "s2"))
        for (fence, holdsAnn) in [
            (try Self.fence("ann"), true), (try Self.fence("bob"), false), (try Self.fence(nil, login: "s1"), true),
            (try Self.fence(nil, login: "s2"), false), (try Self.fence("ann", login: "s1"), true),
            (try Self.fence("ann", login: "s2"), false), (try Self.fence("bob", login: "s1"), false),
        ] {
            var fences = Fences()
            #expect(Self.isNew(fence, in: &fences))
            #expect((fences.holdingBack(ann, now: Self.now) != nil) == holdsAnn, "\(fence)")
            #expect(fence.holdsBack(ann) == holdsAnn)
        }
        var fences = Fences()
        _ = fences.note(try Self.fence("ann"), now: Self.now)
        #expect(fences.holdingBack(bob, now: Self.now) == nil)
    }

    @Test("a proof passes when it was issued in a later second, and one without a time never does")
    func moments() throws {
        let fence = try Self.fence("ann", upTo: 950_500)
        #expect(fence.holdsBack(try Self.identity("ann", issuedAt: 950_000)))
        #expect(fence.holdsBack(try Self.identity("ann", issuedAt: 950_999)))
        #expect(!fence.holdsBack(try Self.identity("ann", issuedAt: 951_000)))
        #expect(fence.holdsBack(try Self.identity("ann", issuedAt: nil)))
    }

    @Test("it ends by itself, a repeated one is known, and the end of a login is stricter than a change of rights")
    func lives() throws {
        var fences = Fences()
        let ann = try Self.identity("ann")
        #expect(try Self.isNew(Self.fence("ann", .privileges), in: &fences))
        #expect(try !Self.isNew(Self.fence("ann", .privileges), in: &fences))
        #expect(try !Self.isNew(Self.fence("ann", .privileges, upTo: 900_000), in: &fences), "an older one says less")
        #expect(fences.holdingBack(ann, now: Self.now)?.reason == .privileges)
        #expect(try Self.isNew(Self.fence("ann", .revoked), in: &fences))
        #expect(fences.holdingBack(ann, now: Self.now)?.reason == .revoked)
        #expect(fences.holdingBack(ann, now: Timestamp(milliseconds: 1_500_000)) == nil)
        #expect(try !Self.isNew(Self.fence("bob", until: 1_000_000), in: &fences))
    }

    @Test("a notice that comes late, with an earlier moment and a later end, lowers nothing")
    func late() throws {
        var fences = Fences()
        #expect(try Self.isNew(Self.fence("ann", upTo: 950_000, until: 1_500_000), in: &fences))
        #expect(try !Self.isNew(Self.fence("ann", upTo: 900_000, until: 1_900_000), in: &fences))
        let between = try Self.identity("ann", issuedAt: 940_000)
        #expect(fences.holdingBack(between, now: Self.now) != nil)
        #expect(fences.holdingBack(between, now: Timestamp(milliseconds: 1_800_000)) != nil, "as long as the later one")
    }

    @Test("expired ones do not pile up")
    func pruned() throws {
        var fences = Fences()
        for number in 0..<10_000 {
            let now = Timestamp(milliseconds: Self.now.milliseconds + Int64(number))
            #expect(try Self.isNew(Self.fence("u\(number)", until: now.milliseconds + 10), in: &fences, now))
        }
        #expect(fences.count < 200)
    }

    @Test("an identity is read from a ticket as it was written")
    func text() throws {
        let whole = Identity(
            user: try user("é\"x"), institution: "i", roles: ["a b", "c"], channels: ["activity:1"], expiresAt: Self.now,
            login: LoginMark("s1"), issuedAt: Timestamp(milliseconds: 5))
        for identity in [whole, try Self.identity("ann", issuedAt: nil)] { #expect(Identity(text: identity.text) == identity) }
        for text in ["", "{}", "[]", #"{"user":"","expires_at":1}"#, #"{"user":"ann"}"#] { #expect(Identity(text: text) == nil) }
    }
}
