import Auth
import HangGuard
import JSON
import OpenSSL
import Testing

@Suite("The development signer", .guarded)
struct TokenSignerTests {
    static let kinds: [(PublicKey.Family, Algorithm)] = [
        (.elliptic(.p256), .es256), (.elliptic(.p384), .es384), (.elliptic(.p521), .es512), (.edwards(.ed25519), .edDSA),
        (.edwards(.ed448), .edDSA), (.rsa(bits: 2048), .rs256),
    ]

    static let alice = Principal(
        subject: "alice", institution: "univ-brest", roles: ["student", "reviewer"], channels: ["activity:7"],
        issuedAt: TokenMint.now, expiresAt: TokenMint.now + 3600)

    @Test("signs tokens that its own key set verifies, for every kind of key", arguments: kinds)
    func roundTrip(kind: PublicKey.Family, algorithm: Algorithm) throws {
        let signer = try TokenSigner.generate(kind)
        #expect(signer.algorithm == algorithm)
        let token = try signer.token(for: Self.alice, issuer: "hub-dev", audience: "hub")
        let policy = TokenPolicy(algorithms: [algorithm], issuer: "hub-dev", audiences: ["hub"])

        let verifier = TokenVerifier(policy: policy, keys: try signer.keySet())
        #expect(verifier.verify(token, now: TokenMint.now) == .accepted(Self.alice))

        let published = try KeySet.parse(jwks: Array(signer.jwks.utf8), acceptsSecrets: false)
        #expect(published == (try signer.keySet()))
        #expect(published.notes.isEmpty)
    }

    @Test("is restored from its PEM text with the same key", arguments: kinds)
    func storesItself(kind: PublicKey.Family, algorithm: Algorithm) throws {
        let signer = try TokenSigner.generate(kind)
        let pem = try signer.pem()
        #expect(pem.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        let again = try TokenSigner(pem: pem)
        #expect(again.keyID == signer.keyID)
        #expect(try again.keySet() == signer.keySet())
        let token = try again.token(for: Self.alice, issuer: "i", audience: "a")
        let verifier = TokenVerifier(policy: TokenPolicy(), keys: try signer.keySet())
        #expect(verifier.verify(token, now: TokenMint.now) == .accepted(Self.alice))
    }

    @Test("publishes no private member of the key")
    func publishesNoPrivateMember() throws {
        let key = try JSONValue.parse(try TokenSigner.generate().jwks)["keys"]?.array?.first?.object
        #expect(key?.members.map(\.name).sorted() == ["alg", "crv", "kid", "kty", "use", "x", "y"])
    }

    @Test(
        "refuses a PEM text that is not a private key, without a prompt for a passphrase",
        arguments: [
            "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "garbage",
        ])
    func refusesOtherText(text: String) {
        #expect(throws: KeyFailure.self) { try TokenSigner(pem: text) }
    }
}
