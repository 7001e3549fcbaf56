import Auth
import Bytes
import HangGuard
import JSON
import OpenSSL
import Testing

/// What an API gateway signs about the user of a request.
@Suite("Contexts that a gateway signed", .guarded) struct SignedContextTests {
    static let now = TokenMint.now
    static let secret = [UInt8](repeating: 3, count: 32)
    static let good = #"{"sub":"alice@univ.example","iat":1799999990,"exp":1800000290,"roles":["STAFF"],"authorities":["x"]}"#

    static func verifier(_ ids: String...) throws -> ContextVerifier {
        ContextVerifier(
            keys: KeySet(keys: try ids.map { try VerificationKey(secret: secret, id: $0) }), policy: TokenMint.policy())
    }

    static func signed(_ context: String, by id: String = "v1", secret: [UInt8] = secret) -> SignedContext {
        let code = SecretKey(secret.span).authenticationCode(for: Array(context.utf8).span, digest: .sha256)
        return SignedContext(context: context, signature: Base64.encode(code), keyID: id)
    }

    static func rejection(_ context: SignedContext, now: Int64 = now) throws -> TokenRejection? {
        let verifier = try verifier("v1", "v2")
        do throws(TokenRejection) {
            _ = try verifier.verify(context, now: now)
            return nil
        } catch { return error }
    }

    @Test("a context of any known key is accepted, and needs neither issuer nor audience")
    func accepted() throws {
        for id in ["v1", "v2"] {
            let principal = try Self.verifier("v1", "v2").verify(Self.signed(Self.good, by: id), now: Self.now)
            #expect(principal.subject == "alice@univ.example")
            #expect(principal.roles == ["STAFF"])
            #expect(principal.issuedAt == 1_799_999_990)
            #expect(principal.expiresAt == 1_800_000_290)
        }
    }

    @Test(
        "each fault is refused",
        arguments: [
            (#"{"sub":"a"}"#, TokenRejection.missingClaim("exp")), (#"{"exp":1800000290}"#, .missingClaim("sub")),
            (#"{"sub":"a","exp":1799999900}"#, .expired), (#"{"sub":"a","exp":1800000290,"iat":1800000200}"#, .issuedInFuture),
            ("[]", .malformed(.payload)), ("", .malformed(.payload)), (#"{"sub":"a","sub":"b","exp":1800000290}"#, .malformed(.payload)),
        ])
    func faults(context: String, expected: TokenRejection) throws {
        #expect(try Self.rejection(Self.signed(context)) == expected)
    }

    @Test("clocks may differ by the leeway")
    func leeway() throws {
        #expect(try Self.rejection(Self.signed(Self.good), now: 1_800_000_319) == nil)
        #expect(try Self.rejection(Self.signed(Self.good), now: 1_800_000_320) == .expired)
    }

    @Test("a signature of another key, of another text, in another form, or none is refused")
    func signatures() throws {
        let good = Self.signed(Self.good)
        #expect(try Self.rejection(Self.signed(Self.good, secret: [UInt8](repeating: 4, count: 32))) == .badSignature)
        #expect(try Self.rejection(Self.signed(Self.good, by: "v3")) == .unknownKey)
        #expect(try Self.rejection(Self.signed(Self.good, by: "")) == .unknownKey)
        let other = SignedContext(context: Self.good.replacing("alice", with: "mallory"), signature: good.signature, keyID: "v1")
        #expect(try Self.rejection(other) == .badSignature)
        for signature in ["", "AAAA", String(good.signature.dropLast()), good.signature + "=", "%%%%"] {
            #expect(try Self.rejection(SignedContext(context: Self.good, signature: signature, keyID: "v1")) != nil)
        }
    }

    @Test("a ticket's digest belongs to 32 bytes only, and is not the ticket")
    func tickets() throws {
        let text = TicketCode.text(random: [UInt8](repeating: 9, count: 32))
        let digest = try #require(TicketCode.digest(of: text))
        #expect(digest != text)
        #expect(TicketCode.digest(of: TicketCode.text(random: [UInt8](repeating: 9, count: 31))) == nil)
        #expect(TicketCode.digest(of: text + "=") == nil)
        #expect(TicketCode.digest(of: "") == nil)
    }
}
