import Auth
import HangGuard
import JSON
import OpenSSL
import Testing

@Suite("The verifier and its memory", .guarded)
struct TokenVerifierTests {
    static let now = TokenMint.now

    static func mint(_ subject: String, exp: Int64 = now + 600, extra: String = "") -> TokenMint {
        TokenMint.good().with(
            payload: #"{"sub":"\#(subject)","exp":\#(exp),"iss":"https://id.example","aud":"hub"\#(extra)}"#)
    }

    @Test("remembers accepted tokens only")
    func remembers() throws {
        let verifier = try TokenMint.verifier()
        #expect(verifier.cachedCount == 0)
        let first = try verifier.verify(Self.mint("alice"))
        #expect(verifier.cachedCount == 1)
        #expect(try verifier.verify(Self.mint("alice")) == first)
        #expect(verifier.cachedCount == 1)
        _ = try verifier.verify(Self.mint("alice", exp: Self.now - 60))
        _ = try verifier.verify(TokenMint.good().with(header: #"{"alg":"none"}"#))
        #expect(verifier.cachedCount == 1)
    }

    @Test("never lets a remembered token outlive its exp")
    func expiresInMemory() throws {
        let verifier = try TokenMint.verifier()
        let token = Self.mint("alice", exp: Self.now + 100)
        guard case .accepted = try verifier.verify(token) else {
            Issue.record("refused")
            return
        }
        #expect(try verifier.verify(token, now: Self.now + 99).isAccepted)
        // Inside the leeway it is checked anew, and still good.
        #expect(try verifier.verify(token, now: Self.now + 129).isAccepted)
        #expect(try verifier.verify(token, now: Self.now + 130) == .rejected(.expired))
        // A clock set back finds it good again.
        #expect(try verifier.verify(token, now: Self.now).isAccepted)
    }

    @Test("a remembered token ends in the second of its exp where there is no leeway")
    func expiresInMemoryAtOnce() throws {
        var policy = TokenMint.policy()
        policy.leeway = .zero
        let verifier = try TokenMint.verifier(policy)
        let token = Self.mint("alice", exp: Self.now + 100)
        #expect(try verifier.verify(token, now: Self.now + 99).isAccepted)
        #expect(try verifier.verify(token, now: Self.now + 100) == .rejected(.expired))
    }

    @Test("never lets a remembered token be used before its nbf")
    func notBeforeInMemory() throws {
        let verifier = try TokenMint.verifier()
        let token = Self.mint("alice", extra: ",\"nbf\":\(Self.now)")
        #expect(try verifier.verify(token).isAccepted)
        #expect(try verifier.verify(token, now: Self.now - 30).isAccepted)
        #expect(try verifier.verify(token, now: Self.now - 31) == .rejected(.notYetValid))
    }

    @Test("forgets all tokens when the keys change, and none when they do not")
    func keysReplaced() throws {
        let verifier = try TokenMint.verifier()
        #expect(try verifier.verify(Self.mint("alice")).isAccepted)
        verifier.replace(keys: try TokenMint.keys())
        #expect(verifier.cachedCount == 1)

        verifier.replace(keys: KeySet(keys: [try VerificationKey(secret: [UInt8](repeating: 8, count: 64), id: "k")]))
        #expect(verifier.cachedCount == 0)
        #expect(try verifier.verify(Self.mint("alice")) == .rejected(.badSignature))

        verifier.replace(keys: .empty)
        #expect(try verifier.verify(Self.mint("alice")) == .unknownKey(kid: "k"))
        verifier.replace(keys: try TokenMint.keys())
        #expect(try verifier.verify(Self.mint("alice")).isAccepted)
    }

    /// A token of that key, which fills its secret with its number, and the key.
    static func key(_ number: UInt8, id: String?, _ algorithm: Algorithm? = nil) throws -> VerificationKey {
        try VerificationKey(secret: [UInt8](repeating: number, count: 64), id: id, algorithm: algorithm)
    }

    static func token(_ number: UInt8, id: String?, _ algorithm: String = "HS256") throws -> String {
        var mint = Self.mint("alice").with(header: #"{"alg":"\#(algorithm)"\#(id.map { #","kid":"\#($0)""# } ?? "")}"#)
        let secret = SecretKey([UInt8](repeating: number, count: 64).span)
        mint.sign = { secret.authenticationCode(for: $0.span, digest: algorithm == "HS256" ? .sha256 : .sha512) }
        return try mint.text()
    }

    @Test("names the key that has verified a token, and says which of them new keys withdraw")
    func withdrawnKeys() throws {
        let verifier = TokenVerifier(policy: TokenMint.policy(), keys: KeySet(keys: [try Self.key(1, id: "a"), try Self.key(2, id: "b")]))
        func number(_ token: String) throws -> KeyNumber { verifier.judge(token.utf8.span, now: Self.now).key }
        let (a, b) = (try number(try Self.token(1, id: "a")), try number(try Self.token(2, id: "b")))
        #expect(a != .none && b != .none && a != b)
        #expect(try number(try Self.token(1, id: "a")) == a, "also from memory")
        #expect(try number(try Self.token(1, id: nil)) == a)
        #expect(try number(try Self.token(3, id: "a")) == .none)
        // The order and further keys change nothing.
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(3, id: "c"), try Self.key(2, id: "b"), try Self.key(1, id: "a")])) == [])
        #expect(try number(try Self.token(2, id: "b")) == b)
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(3, id: "c"), try Self.key(1, id: "a")])) == [b])
        // Another key under the old name, and the old key under another name.
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(4, id: "a"), try Self.key(1, id: "d")])) == [a])
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(5, id: "e")])) == [], "no token came of those")
    }

    @Test("a key that may be used for less is withdrawn when one of its tokens used more")
    func narrowedKeys() throws {
        let verifier = TokenVerifier(policy: TokenMint.policy(), keys: KeySet(keys: [try Self.key(1, id: "a")]))
        let number = verifier.judge(try Self.token(1, id: "a").utf8.span, now: Self.now).key
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(1, id: "a", .hs256)])) == [])
        verifier.replace(keys: KeySet(keys: [try Self.key(1, id: "a")]))
        #expect(verifier.judge(try Self.token(1, id: "a", "HS512").utf8.span, now: Self.now).key == number)
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(1, id: "a", .hs256)])) == [number])
    }

    @Test("a suspended verifier knows no key, and withdraws none before it has new ones")
    func suspended() throws {
        let verifier = TokenVerifier(policy: TokenMint.policy(), keys: KeySet(keys: [try Self.key(1, id: "a"), try Self.key(2, id: "b")]))
        let a = verifier.judge(try Self.token(1, id: "a").utf8.span, now: Self.now).key
        let b = verifier.judge(try Self.token(2, id: "b").utf8.span, now: Self.now).key
        verifier.suspend()
        #expect(verifier.verify(try Self.token(1, id: "a"), now: Self.now) == .unknownKey(kid: "a"))
        #expect(verifier.replace(keys: KeySet(keys: [try Self.key(1, id: "a")])) == [b])
        #expect(verifier.judge(try Self.token(1, id: "a").utf8.span, now: Self.now).key == a)
    }

    @Test("remembers a bounded number of tokens, and keeps those in use")
    func bounded() throws {
        let verifier = try TokenMint.verifier(cacheCapacity: 4)
        for round in 0..<100 {
            #expect(try verifier.verify(Self.mint("regular")).isAccepted)
            #expect(
                try verifier.verify(Self.mint("passer-by \(round)"))
                    == .accepted(
                        Principal(subject: "passer-by \(round)", expiresAt: Self.now + 600)))
            #expect(verifier.cachedCount <= 4)
        }
        #expect(verifier.cachedCount == 4)
    }

    @Test("verifies with a memory of size 0")
    func noCache() throws {
        let verifier = try TokenMint.verifier(cacheCapacity: 0)
        #expect(try verifier.verify(Self.mint("alice")).isAccepted)
        #expect(try verifier.verify(Self.mint("alice")).isAccepted)
        #expect(verifier.cachedCount == 0)
    }

    @Test("verifies each token by its own signature and payload, also with a known header")
    func knownHeaders() throws {
        let verifier = try TokenMint.verifier(cacheCapacity: 0)
        let forger = SecretKey([UInt8](repeating: 8, count: 64).span)
        // More than are remembered, each twice.
        for number in (0..<12).flatMap({ [$0, $0] }) {
            let mint = Self.mint("alice").with(header: #"{"alg":"HS256","kid":"k","x":\#(number)}"#)
            #expect(try verifier.verify(mint).isAccepted)
            var forged = mint
            forged.sign = { forger.authenticationCode(for: $0.span, digest: .sha256) }
            #expect(try verifier.verify(forged) == .rejected(.badSignature))
            #expect(try verifier.verify(mint.with(payload: "{}")) == .rejected(.missingClaim("exp")))
            #expect(try verifier.verify(mint.with(payload: "no object")) == .rejected(.malformed(.payload)))
            #expect(try verifier.verify(mint.text() + "!", now: Self.now) == .rejected(.malformed(.signature)))
        }
        #expect(try verifier.verify(Self.mint("alice").with(header: #"{"alg":"HS256","kid":"other"}"#)) == .unknownKey(kid: "other"))
        #expect(try verifier.verify(Self.mint("alice").with(header: #"{"alg":"none","kid":"k"}"#)) == .rejected(.algorithmNotAllowed))
    }

    @Test("gives every refusal a short, unique name")
    func names() {
        let all: [TokenRejection] =
            [
                .tooLarge, .algorithmNotAllowed, .criticalHeader, .unencodedPayload, .wrongType, .unknownKey, .keyMismatch, .ambiguousKey,
                .badSignature, .missingClaim("exp"), .malformedClaim("exp"), .expired, .notYetValid, .issuedInFuture, .wrongIssuer,
                .wrongAudience,
            ] + TokenRejection.Part.allCases.map { .malformed($0) }
        #expect(Set(all.map(\.name)).count == all.count)
        for name in all.map(\.name) { #expect(name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (97...122).contains($0) }) }
    }
}

extension Verdict {
    var isAccepted: Bool {
        switch self {
        case .accepted: true
        case .rejected, .unknownKey: false
        }
    }
}
