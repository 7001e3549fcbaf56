import Auth
import Bytes
import HangGuard
import Testing

@Suite("Claims (RFC 7519 §4.1)", .guarded)
struct ClaimRuleTests {
    static let now = TokenMint.now

    /// A payload that is accepted, with members changed (nil removes), as JSON text.
    static func payload(_ changes: [(String, String?)]) -> String {
        var members = [
            ("sub", "\"alice\""), ("exp", "\(now + 600)"), ("iss", "\"https://id.example\""), ("aud", "\"hub\""),
        ]
        for (name, value) in changes {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    static func verdict(under policy: TokenPolicy = TokenMint.policy(), now: Int64 = now, _ changes: (String, String?)...) throws -> Verdict
    {
        try TokenMint.verifier(policy).verify(TokenMint.good().with(payload: payload(changes)), now: now)
    }

    static func rejection(under policy: TokenPolicy = TokenMint.policy(), now: Int64 = now, _ name: String, _ value: String?) throws
        -> TokenRejection?
    {
        guard case .rejected(let rejection) = try verdict(under: policy, now: now, (name, value)) else { return nil }
        return rejection
    }

    // MARK: time

    /// Leeway is 30 s: `exp` + 30 is the first moment too late, `nbf` - 30 the first one good.
    static let moments: [(claim: String, offset: Int64, TokenRejection?)] = [
        ("exp", -29, nil), ("exp", -30, .expired), ("exp", -31, .expired), ("exp", 0, nil), ("exp", 1, nil),
        ("nbf", 30, nil), ("nbf", 31, .notYetValid), ("nbf", 0, nil), ("nbf", -100_000, nil),
        ("iat", 30, nil), ("iat", 31, .issuedInFuture), ("iat", -100_000_000, nil),
    ]

    @Test("times are checked to the second, with the leeway", arguments: moments)
    func moment(claim: String, offset: Int64, expected: TokenRejection?) throws {
        #expect(try Self.rejection(claim, "\(Self.now + offset)") == expected)
    }

    @Test("without a leeway times are checked exactly")
    func noLeeway() throws {
        var policy = TokenMint.policy()
        policy.leeway = .zero
        #expect(try Self.rejection(under: policy, "exp", "\(Self.now)") == .expired)
        #expect(try Self.rejection(under: policy, "exp", "\(Self.now + 1)") == nil)
        #expect(try Self.rejection(under: policy, "nbf", "\(Self.now)") == nil)
        #expect(try Self.rejection(under: policy, "nbf", "\(Self.now + 1)") == .notYetValid)
    }

    @Test("times with fractions and exponents are rounded to the token's disadvantage")
    func numericDateForms() throws {
        var policy = TokenMint.policy()
        policy.leeway = .zero
        #expect(try Self.rejection(under: policy, "exp", "\(Self.now).999") == .expired)
        #expect(try Self.rejection(under: policy, "exp", "\(Self.now + 1).0") == nil)
        #expect(try Self.rejection(under: policy, "exp", "1.8000006e9") == nil)
        #expect(try Self.rejection(under: policy, "exp", "18000006E+2") == nil)
        #expect(try Self.rejection(under: policy, "nbf", "\(Self.now).001") == .notYetValid)
        #expect(try Self.rejection(under: policy, "nbf", "\(Self.now - 1).001") == nil)
        #expect(try Self.rejection(under: policy, "nbf", "0") == nil)
        #expect(try Self.rejection(under: policy, "nbf", "-0") == nil)
        #expect(try Self.rejection(under: policy, "exp", "253402300799") == nil)
    }

    static let hostileNumbers = [
        "1e400", "-1e400", "1e308", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "-9223372036854775808",
        "-1e18", "253402300800", "9007199254740993e3", "1" + String(repeating: "0", count: 400), "\"1800000600\"", "null", "true",
        "[1800000600]",
        "{\"seconds\":1800000600}",
    ]

    @Test("absurd times are refused", arguments: hostileNumbers, ["exp", "nbf", "iat"])
    func hostileNumber(text: String, claim: String) throws {
        #expect(try Self.rejection(claim, text) == .malformedClaim(claim))
    }

    @Test(
        "a time that is not a JSON number is refused",
        arguments: ["NaN", "Infinity", "0x6B49D200", "+1800000600", "01800000600", "1_800", "1800000600."])
    func notANumber(text: String) throws {
        #expect(try Self.rejection("exp", text) == .malformed(.payload))
    }

    @Test("a token without exp is refused, unless the policy allows it")
    func expiryRequired() throws {
        #expect(try Self.rejection("exp", nil) == .missingClaim("exp"))
        var policy = TokenMint.policy()
        policy.requiresExpiry = false
        #expect(try Self.verdict(under: policy, ("exp", nil)) == .accepted(Principal(subject: "alice")))
        #expect(try Self.rejection(under: policy, "exp", "\(Self.now - 30)") == .expired)
    }

    @Test("no value of the clock causes a trap", arguments: [Int64.min, Int64.min + 1, -1, 0, Int64.max - 1, Int64.max])
    func anyClock(now: Int64) throws {
        let verdict = try Self.verdict(now: now, ("nbf", "\(Self.now)"), ("iat", "\(Self.now)"))
        #expect(verdict == .rejected(now > 0 ? .expired : .notYetValid))
    }

    // MARK: parties

    static let issuers: [(String?, TokenRejection?)] = [
        ("\"https://id.example\"", nil), ("\"https:\\/\\/id.example\"", nil), ("\"https://id.example/\"", .wrongIssuer),
        ("\"HTTPS://id.example\"", .wrongIssuer), ("\"\"", .wrongIssuer), ("\"https://id.example \"", .wrongIssuer),
        (nil, .missingClaim("iss")),
        ("null", .malformedClaim("iss")), ("[\"https://id.example\"]", .malformedClaim("iss")), ("1", .malformedClaim("iss")),
    ]

    @Test("the iss claim must be the configured issuer", arguments: issuers)
    func issuer(value: String?, expected: TokenRejection?) throws {
        #expect(try Self.rejection("iss", value) == expected)
    }

    static let audiences: [(String?, TokenRejection?)] = [
        ("\"hub\"", nil), ("[\"hub\"]", nil), ("[\"account\",\"hub\"]", nil), ("\"HUB\"", .wrongAudience), ("[]", .wrongAudience),
        ("[\"account\"]", .wrongAudience), ("[\"account\",\"shop\"]", .wrongAudience),
        ("[\"account\",\"shop\",\"forum\",\"Hub\"]", .wrongAudience), ("\"hub,account\"", .wrongAudience), ("\"hub \"", .wrongAudience),
        (nil, .missingClaim("aud")),
        ("[\"hub\",7]", .malformedClaim("aud")), ("null", .malformedClaim("aud")), ("{\"hub\":true}", .malformedClaim("aud")),
    ]

    @Test("the aud claim must contain this hub's name", arguments: audiences)
    func audience(value: String?, expected: TokenRejection?) throws {
        #expect(try Self.rejection("aud", value) == expected)
    }

    @Test("names are compared byte for byte: two encodings of é are two names")
    func noNormalization() throws {
        let policy = TokenPolicy(issuer: "universit\u{E9}", audiences: ["\u{E9}"])
        #expect(try Self.verdict(under: policy, ("iss", "\"universite\u{301}\""), ("aud", "\"\u{E9}\"")) == .rejected(.wrongIssuer))
        #expect(try Self.verdict(under: policy, ("iss", "\"universit\u{E9}\""), ("aud", "\"e\u{301}\"")) == .rejected(.wrongAudience))
    }

    @Test("claims that the policy does not require may be absent")
    func nothingNamed() throws {
        let verdict = try Self.verdict(under: TokenPolicy(), ("iss", nil), ("aud", "[\"anyone\"]"))
        #expect(verdict == .accepted(Principal(subject: "alice", expiresAt: Self.now + 600)))
    }

    // MARK: the principal

    static let subjects: [(String?, TokenRejection?)] = [
        ("\"alice\"", nil), ("\"\u{00E9}l\u{00E8}ve 7\"", nil), ("\"" + String(repeating: "a", count: 255) + "\"", nil),
        ("\"" + String(repeating: "a", count: 256) + "\"", .malformedClaim("sub")), ("\"\"", .malformedClaim("sub")),
        (nil, .missingClaim("sub")), ("null", .missingClaim("sub")), ("7", .malformedClaim("sub")), ("[\"alice\"]", .malformedClaim("sub")),
        ("\"a\\nb\"", .malformedClaim("sub")), ("\"a\\u0000\"", .malformed(.payload)), ("\"a\\u007f\"", .malformedClaim("sub")),
        ("\"a\\u0085\"", .malformedClaim("sub")), ("\"\\ud800\"", .malformed(.payload)),
    ]

    @Test("the sub claim must be a valid user id", arguments: subjects)
    func subject(value: String?, expected: TokenRejection?) throws {
        #expect(try Self.rejection("sub", value) == expected)
    }

    static let lists: [(value: String, expected: [String]?)] = [
        ("[\"student\",\"reviewer\"]", ["student", "reviewer"]), ("\"student reviewer\"", ["student", "reviewer"]),
        ("\"student\"", ["student"]),
        ("[]", []), ("\"\"", []), ("null", []), ("[\"two words\"]", ["two words"]), ("7", nil), ("{\"student\":true}", nil),
        ("[\"student\",null]", nil), ("[\"\"]", nil), ("[\"a\\u0001\"]", nil), ("[[\"student\"]]", nil),
    ]

    @Test("roles are an array of strings or one string of words", arguments: lists, ["roles", "channels"])
    func list(list: (value: String, expected: [String]?), claim: String) throws {
        let (value, expected) = list
        switch try Self.verdict((claim, value)) {
        case .accepted(let principal): #expect((claim == "roles" ? principal.roles : principal.channels) == expected)
        case .rejected(let rejection): #expect(expected == nil && rejection == .malformedClaim(claim))
        case .unknownKey: Issue.record("unknown key")
        }
    }

    @Test("claims are found by the policy's path: nested as in Keycloak, or under a name that is a URL")
    func claimPaths() throws {
        var policy = TokenMint.policy()
        policy.claims = ClaimNames(
            subject: "preferred_username", institution: "https://avenirs-esr.example/institution",
            roles: ["realm_access.roles", "resource_access.hub.roles", "absent.path"], channels: "scope")
        let verdict = try Self.verdict(
            under: policy, ("preferred_username", "\"alice@univ\""), ("https://avenirs-esr.example/institution", "\"univ-brest\""),
            ("realm_access", "{\"roles\":[\"student\"]}"), ("resource_access", "{\"hub\":{\"roles\":[\"reviewer\"]},\"other\":{}}"),
            ("scope", "\"activity:1 activity:2\""))
        #expect(
            verdict
                == .accepted(
                    Principal(
                        subject: "alice@univ", institution: "univ-brest", roles: ["student", "reviewer"],
                        channels: ["activity:1", "activity:2"], expiresAt: Self.now + 600)))
        #expect(try Self.rejection(under: policy, "sub", nil) == .missingClaim("preferred_username"))
    }

    @Test("the token's id and the institution must be strings")
    func plainStrings() throws {
        #expect(
            try Self.verdict(("jti", "\"t-1\""), ("institution", "\"univ-brest\""))
                == .accepted(Principal(subject: "alice", institution: "univ-brest", expiresAt: Self.now + 600)))
        #expect(try Self.rejection("jti", "7") == .malformedClaim("jti"))
        #expect(try Self.rejection("institution", "[]") == .malformedClaim("institution"))
    }

    static let payloads = [
        "", "Payload", "[]", "\"alice\"", "null", "{", "{\"sub\":\"alice\"} {}", "{\"sub\":\"alice\",\"sub\":\"bob\"}",
        "{\"exp\":1,\"exp\":1800000600,\"sub\":\"alice\"}", "{\"a\":{\"b\":1,\"b\":2}}", "{\"a\":" + String(repeating: "[", count: 2_000),
        "{\"a\":" + String(repeating: "[", count: 17) + String(repeating: "]", count: 17) + "}",
        "{\"a\":[" + String(repeating: "0,", count: 2_000) + "0]}",
    ]

    @Test("the claims must be one valid JSON object", arguments: payloads)
    func payload(text: String) throws {
        #expect(try TokenMint.verifier().verify(TokenMint.good().with(payload: text)) == .rejected(.malformed(.payload)))
    }

    @Test("the claims must be UTF-8")
    func notUTF8() throws {
        let signed =
            Base64URL.encode(TokenMint.good().header.utf8) + "." + Base64URL.encode([0x7B, 0x22, 0xC3, 0x28, 0x22, 0x3A, 0x31, 0x7D])
        let token = signed + "." + Base64URL.encode(try TokenMint.good().sign(Array(signed.utf8)))
        #expect(try TokenMint.verifier().verify(token, now: Self.now) == .rejected(.malformed(.payload)))
    }
}
