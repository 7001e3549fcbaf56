import Auth
import Foundation
import HangGuard
import OpenSSL
import Testing

@Suite("Headers", .guarded)
struct HeaderRuleTests {
    @Test("the unchanged token is accepted, so each refusal below has one cause")
    func good() throws {
        let verdict = try TokenMint.verifier().verify(.good())
        #expect(
            verdict
                == .accepted(Principal(subject: "alice", issuedAt: 1_799_999_990, expiresAt: 1_800_000_600)))
    }

    static let refused: [(String, Verdict)] = [
        // RFC 8725 §3.1, §3.2: none in any spelling, and nothing that is not ours.
        (#"{"alg":"none"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"None","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"nOnE","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"NONE","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"hs256","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"HS256 ","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"HS1","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"ES256K","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"alg":"RSA-OAEP","enc":"A128GCM","kid":"k"}"#, .rejected(.algorithmNotAllowed)),
        (#"{"kid":"k"}"#, .rejected(.malformed(.header))),
        (#"{"alg":null,"kid":"k"}"#, .rejected(.malformed(.header))),
        (#"{"alg":["HS256"],"kid":"k"}"#, .rejected(.malformed(.header))),
        // RFC 7515 §4.1.11: whatever is critical, we do not understand it.
        (#"{"alg":"HS256","kid":"k","crit":["exp"],"exp":1}"#, .rejected(.criticalHeader)),
        (#"{"alg":"HS256","kid":"k","crit":[]}"#, .rejected(.criticalHeader)),
        (#"{"alg":"HS256","kid":"k","crit":null}"#, .rejected(.criticalHeader)),
        (#"{"alg":"HS256","kid":"k","crit":["b64"],"b64":false}"#, .rejected(.criticalHeader)),
        (#"{"alg":"HS256","kid":"k","b64":true}"#, .rejected(.unencodedPayload)),
        (#"{"alg":"HS256","kid":"k","b64":false}"#, .rejected(.unencodedPayload)),
        // RFC 8725 §3.11.
        (#"{"alg":"HS256","kid":"k","typ":"logout+jwt"}"#, .rejected(.wrongType)),
        (#"{"alg":"HS256","kid":"k","typ":"JWT2"}"#, .rejected(.wrongType)),
        (#"{"alg":"HS256","kid":"k","typ":""}"#, .rejected(.wrongType)),
        (#"{"alg":"HS256","kid":"k","typ":"text/jwt"}"#, .rejected(.wrongType)),
        (#"{"alg":"HS256","kid":"k","typ":7}"#, .rejected(.malformed(.header))),
        // RFC 7515 §4: names are unique.
        (#"{"alg":"none","alg":"HS256","kid":"k"}"#, .rejected(.malformed(.header))),
        (#"{"alg":"HS256","kid":"k","kid":"k"}"#, .rejected(.malformed(.header))),
        (#"{"alg":"HS256","\u0061lg":"HS256","kid":"k"}"#, .rejected(.malformed(.header))),
        (#"{"alg":"HS256","kid":"k"} "# + "x", .rejected(.malformed(.header))),
        (#"{"alg":"HS256","kid":"k",}"#, .rejected(.malformed(.header))),
        (#"["HS256"]"#, .rejected(.malformed(.header))),
        ("", .rejected(.malformed(.header))),
        ("\u{FEFF}{\"alg\":\"HS256\",\"kid\":\"k\"}", .rejected(.malformed(.header))),
        (#"{"alg":"HS256","kid":"k\u0000"}"#, .rejected(.malformed(.header))),
        (#"{"alg":"HS256","kid":["k"]}"#, .rejected(.malformed(.header))),
        (
            #"{"alg":"HS256","kid":"k","x":"# + String(repeating: "[", count: 500) + String(repeating: "]", count: 500) + "}",
            .rejected(.malformed(.header))
        ),
        // No default key, whatever a file system or a database would make of the name.
        (#"{"alg":"HS256","kid":"other"}"#, .unknownKey(kid: "other")),
        (#"{"alg":"HS256","kid":"K"}"#, .unknownKey(kid: "K")),
        (#"{"alg":"HS256","kid":""}"#, .unknownKey(kid: "")),
        (#"{"alg":"HS256","kid":"../../../../dev/null"}"#, .unknownKey(kid: "../../../../dev/null")),
        (#"{"alg":"HS256","kid":"k' OR '1'='1"}"#, .unknownKey(kid: "k' OR '1'='1")),
        (#"{"alg":"ES256","kid":"k"}"#, .rejected(.keyMismatch)),
        (#"{"alg":"RS256"}"#, .unknownKey(kid: nil)),
        (#"{"alg":"HS512","kid":"k"}"#, .rejected(.badSignature)),
        // RFC 8725 §3.10: what a token says about its own key is nobody's business.
        (#"{"alg":"HS256","kid":"x","jwk":{"kty":"oct","kid":"x","k":"BwcHBw"}}"#, .unknownKey(kid: "x")),
        (#"{"alg":"HS256","kid":"x","jku":"https://evil.example/jwks"}"#, .unknownKey(kid: "x")),
    ]

    @Test("each bad header is refused with its own reason", arguments: refused)
    func refuses(header: String, verdict: Verdict) throws {
        #expect(try TokenMint.verifier().verify(TokenMint.good().with(header: header)) == verdict)
    }

    static let accepted = [
        #"{"alg":"HS256","kid":"k"}"#, #"{"alg":"HS256"}"#, #"{"typ":"jwt","alg":"HS256","kid":"k"}"#,
        #"{"typ":"application/JWT","alg":"HS256","kid":"k"}"#, #"{"typ":"at+jwt","alg":"HS256","kid":"k"}"#,
        #"{"typ":"application/at+JWT","alg":"HS256","kid":"k"}"#, " {\n\t\"alg\" : \"HS256\" , \"kid\" : \"k\" }\r\n",
        #"{"alg":"HS256","kid":"k","jku":"https://evil.example","x5u":"file:///etc/passwd","jwk":{"kty":"oct","k":"AA"}}"#,
        #"{"\u0061lg":"HS256","kid":"k"}"#,
    ]

    @Test("equivalent forms of a header are accepted", arguments: accepted)
    func accepts(header: String) throws {
        guard case .accepted = try TokenMint.verifier().verify(TokenMint.good().with(header: header)) else {
            Issue.record("refused")
            return
        }
    }

    @Test("an algorithm outside the policy is refused even if a key could verify it")
    func policyNarrows() throws {
        var policy = TokenMint.policy()
        policy.algorithms = [.es256, .hs512]
        #expect(try TokenMint.verifier(policy).verify(.good()) == .rejected(.algorithmNotAllowed))
    }

    @Test("a header without typ is refused when the policy requires one")
    func policyWantsType() throws {
        var policy = TokenMint.policy()
        policy.types = ["at+jwt"]
        policy.acceptsAbsentType = false
        let verifier = try TokenMint.verifier(policy)
        #expect(try verifier.verify(.good()) == .rejected(.wrongType))
        #expect(try verifier.verify(TokenMint.good().with(header: #"{"alg":"HS256"}"#)) == .rejected(.wrongType))
        guard case .accepted = try verifier.verify(TokenMint.good().with(header: #"{"alg":"HS256","typ":"AT+JWT"}"#)) else {
            Issue.record("refused")
            return
        }
    }

    /// RFC 8725 §2.1: the public key is public, so it must never serve as an HMAC secret.
    @Test("a header with HS256 does not make a public key a shared secret")
    func algorithmConfusion() throws {
        let signer = try TokenSigner.generate(.rsa(bits: 2048))
        let pem = try PrivateKey(pem: try signer.pem()).publicKey.pem()
        let verifier = TokenVerifier(policy: TokenMint.policy(), keys: try signer.keySet())
        for secret in [pem, pem.trimmingCharacters(in: .newlines), signer.jwks] {
            for header in [#"{"alg":"HS256","kid":"\#(signer.keyID)"}"#, #"{"alg":"HS256"}"#] {
                var mint = TokenMint.good().with(header: header)
                mint.sign = { SecretKey(Array(secret.utf8).span).authenticationCode(for: $0.span, digest: .sha256) }
                switch try verifier.verify(mint) {
                case .accepted: Issue.record("accepted")
                case .rejected(let rejection): #expect(rejection == .keyMismatch)
                case .unknownKey(let kid): #expect(kid == nil)
                }
            }
        }
    }
}
