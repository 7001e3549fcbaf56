import Auth
import HangGuard
import Testing

/// Tokens by which an identity provider ends logins and rights.
@Suite("Logout tokens and security event tokens", .guarded) struct SecurityEventReaderTests {
    static let reader = SecurityEventReader(TokenMint.policy())
    static let caep = "https://schemas.openid.net/secevent/caep/event-type/"
    static let risc = "https://schemas.openid.net/secevent/risc/event-type/"
    static let common = #""iss":"https://id.example","aud":"hub","iat":1799999990,"jti":"j1""#
    static let logout = #""events":{"http://schemas.openid.net/event/backchannel-logout":{}}"#

    static func mint(_ type: String, _ payload: String) -> TokenMint {
        var mint = TokenMint.good()
        mint.header = #"{"alg":"HS256","typ":"\#(type)","kid":"k"}"#
        mint.payload = payload
        return mint
    }

    static func logout(_ payload: String, type: String = "logout+jwt") throws -> Result<SecurityEvent, TokenRejection> {
        let text = try mint(type, payload).text()
        let keys = try TokenMint.keys()
        return Result { () throws(TokenRejection) in try reader.logout(text.utf8.span, keys: keys, now: TokenMint.now) }
    }

    static func event(_ payload: String, type: String = "secevent+jwt") throws -> Result<SecurityEvent, TokenRejection> {
        let text = try mint(type, payload).text()
        let keys = try TokenMint.keys()
        return Result { () throws(TokenRejection) in try reader.securityEvent(text.utf8.span, keys: keys, now: TokenMint.now) }
    }

    @Test("a logout token names the user, the login, or both")
    func logouts() throws {
        for (members, subject, login) in [
            (#""sub":"ann","#, "ann", nil), (#""sid":"s1","#, nil, "s1"), (#""sub":"ann","sid":"s1","#, "ann", "s1"),
        ] as [(String, String?, String?)] {
            let event = try Self.logout("{\(members)\(Self.common),\(Self.logout)}").get()
            #expect(event.effect == .revoked)
            #expect(event.subject == subject)
            #expect(event.login == login)
            #expect(event.issuedAt == 1_799_999_990)
            #expect(event.id == "https://id.example j1")
        }
    }

    @Test(
        "what OpenID Connect Back-Channel Logout 1.0 §2.6 says is refused",
        arguments: [
            (#"{"sub":"a","iss":"https://id.example","aud":"hub","iat":1799999990,"jti":"j1"}"#, TokenRejection.missingClaim("events")),
            (#"{"sub":"a",\#(common),"events":{"other":{}}}"#, .missingClaim("events")),
            (#"{\#(common),\#(logout)}"#, .missingClaim("sub")),
            (#"{"sub":"a","nonce":"n",\#(common),\#(logout)}"#, .malformedClaim("nonce")),
            (#"{"sub":"a","iss":"https://evil.example","aud":"hub","iat":1799999990,"jti":"j1",\#(logout)}"#, .wrongIssuer),
            (#"{"sub":"a","iss":"https://id.example","aud":"shop","iat":1799999990,"jti":"j1",\#(logout)}"#, .wrongAudience),
            (#"{"sub":"a","iss":"https://id.example","aud":"hub","jti":"j1",\#(logout)}"#, .missingClaim("iat")),
            (#"{"sub":"a","iss":"https://id.example","aud":"hub","iat":1799999990,\#(logout)}"#, .missingClaim("jti")),
            (#"{"sub":"a","exp":1799999000,\#(common),\#(logout)}"#, .expired),
            (#"{"sub":"a","iss":"https://id.example","aud":"hub","iat":1799990000,"jti":"j1",\#(logout)}"#, .expired),
        ])
    func refusedLogouts(payload: String, expected: TokenRejection) throws {
        #expect(try Self.logout(payload) == .failure(expected))
    }

    @Test("where another claim than sub names users, sub names nobody here")
    func otherSubject() throws {
        var policy = TokenMint.policy()
        policy.claims.subject = "login"
        let reader = SecurityEventReader(policy)
        let keys = try TokenMint.keys()
        func read(_ members: String) throws -> Result<SecurityEvent, TokenRejection> {
            let text = try Self.mint("logout+jwt", "{\(members)\(Self.common),\(Self.logout)}").text()
            return Result { () throws(TokenRejection) in try reader.logout(text.utf8.span, keys: keys, now: TokenMint.now) }
        }
        let both = try read(#""sub":"4711","sid":"s1","#).get()
        #expect(both.subject == nil && both.login == "s1")
        #expect(try read(#""sub":"4711","login":"ann","#).get().subject == "ann")
        #expect(try read(#""sub":"4711","#) == .failure(.missingClaim("sub")))
    }

    @Test("an ID token or an access token is no logout token, and a logout token is no security event")
    func types() throws {
        let payload = #"{"sub":"a",\#(Self.common),\#(Self.logout)}"#
        #expect(try Self.logout(payload, type: "at+jwt") == .failure(.wrongType))
        #expect(try Self.event(payload, type: "logout+jwt") == .failure(.wrongType))
        #expect(try Self.event(payload, type: "JWT") == .failure(.wrongType))
    }

    @Test(
        "events of CAEP and RISC have their effects",
        arguments: [
            (caep + "session-revoked", SecurityEvent.Effect.revoked), (caep + "token-claims-change", .rightsChanged),
            (risc + "account-disabled", .revoked), (caep + "device-compliance-change", .none),
        ])
    func effects(name: String, effect: SecurityEvent.Effect) throws {
        let payload = #"{\#(Self.common),"sub_id":{"format":"iss_sub","iss":"x","sub":"ann"},"events":{"\#(name)":{}}}"#
        let event = try Self.event(payload).get()
        #expect(event.effect == effect)
        #expect(event.subject == (effect == .none ? nil : "ann"))
    }

    @Test("a subject may be opaque, stand in the event, or name one session of the user")
    func subjects() throws {
        let revoked = Self.caep + "session-revoked"
        let opaque = #"{\#(Self.common),"sub_id":{"format":"opaque","id":"ann"},"events":{"\#(revoked)":{}}}"#
        #expect(try Self.event(opaque).get().subject == "ann")
        let own = #"{\#(Self.common),"events":{"\#(revoked)":{"subject":{"format":"iss_sub","iss":"x","sub":"ann"}}}}"#
        #expect(try Self.event(own).get().subject == "ann")
        let session =
            #"{\#(Self.common),"sub_id":{"user":{"format":"iss_sub","iss":"x","sub":"ann"},"session":{"format":"opaque","id":"s1"}},"events":{"\#(revoked)":{}}}"#
        let event = try Self.event(session).get()
        #expect(event.subject == "ann")
        #expect(event.login == "s1")
        #expect(try Self.event(#"{\#(Self.common),"events":{"\#(revoked)":{}}}"#) == .failure(.missingClaim("sub_id")))
        #expect(try Self.event(#"{\#(Self.common),"sub_id":{"sub":7},"events":{"\#(revoked)":{}}}"#) == .failure(.malformedClaim("sub_id")))
    }
}
