import Auth
import Bytes
import Foundation
import HangGuard
import JSON
import OpenSSL
import Testing

/// Examples printed in RFC 7515, 7520, 7797 and 8037; `Fixtures/jwt/rfc.json` names the section of each.
@Suite("The examples of the RFCs", .guarded)
struct RFCVectorTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let section: String
        let note: String
        let key: JSONValue
        let token: String
        let outcome: String
        let payload: String?
        var testDescription: String { note.isEmpty ? section : "\(section): \(note)" }
    }

    static func examples() throws -> [Example] {
        try #require(try Fixture.json("jwt/rfc.json").array).map { value in
            Example(
                section: try #require(value["section"]?.string), note: value["note"]?.string ?? "",
                key: try #require(value["key"]), token: try #require(value["token"]?.string),
                outcome: try #require(value["outcome"]?.string), payload: value["payload"]?.string)
        }
    }

    @Test("each example gives the result of the RFC", arguments: try examples())
    func outcome(_ example: Example) throws {
        let keys = try KeySet.parse(jwks: Array(example.key.text.utf8), acceptsSecrets: true)
        let policy = TokenPolicy()
        do {
            let verified = try VerifiedJWS(example.token.utf8.span, keys: keys, policy: policy)
            #expect(example.outcome == "verified")
            #expect(String(decoding: verified.payload, as: UTF8.self) == example.payload)
        } catch {
            #expect(error.name == example.outcome)
        }
    }

    @Test("each example is refused when one character is changed")
    func everyCharacterCounts() throws {
        for example in try Self.examples() where example.outcome == "verified" {
            let keys = try KeySet.parse(jwks: Array(example.key.text.utf8), acceptsSecrets: true)
            let token = Array(example.token.utf8)
            // RSA is checked at each 7th place: 640 modular exponentiations per example add nothing.
            for position in stride(from: 0, to: token.count, by: 7) {
                var spoiled = token
                spoiled[position] = spoiled[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
                #expect(throws: TokenRejection.self, "\(example.section) at \(position)") {
                    try VerifiedJWS(spoiled.span, keys: keys, policy: TokenPolicy())
                }
            }
        }
    }

    /// RFC 8037 A.1 and A.4: an Ed25519 signature is determined by key and message.
    @Test("RFC 8037 A.4: the key makes the printed signature")
    func ed25519IsDeterministic() throws {
        let seed = try #require(Base64URL.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
        // PKCS#8 for Ed25519 is this prefix and the seed (RFC 8410 §10.3).
        let der: [UInt8] = [0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20] + seed
        let base64 = Data(der).base64EncodedString()
        let key = try PrivateKey(pem: "-----BEGIN PRIVATE KEY-----\n\(base64)\n-----END PRIVATE KEY-----\n")
        #expect(
            try key.publicKey.numbers()
                == .edwards(.ed25519, try #require(Base64URL.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))))
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
        #expect(
            Base64URL.encode(try key.signature(for: signed.utf8.span, scheme: .edwards))
                == "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        // RFC 8037 A.3.
        #expect(try TokenSigner(key).keyID == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
    }
}
