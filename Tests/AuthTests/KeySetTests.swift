import Auth
import Bytes
import HangGuard
import JSON
import OpenSSL
import Testing

@Suite("Key sets (RFC 7517)", .guarded)
struct KeySetTests {
    static let ec =
        #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#
    static let ed = #""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#
    static let rsaModulus =
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    static let rsa = #""kty":"RSA","n":"\#(rsaModulus)","e":"AQAB""#
    static let secret = #""kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow""#

    static func parse(_ keys: String..., acceptsSecrets: Bool = true) throws -> KeySet {
        try KeySet.parse(
            jwks: Array(("{\"keys\":[" + keys.map { "{\($0)}" }.joined(separator: ",") + "]}").utf8), acceptsSecrets: acceptsSecrets)
    }

    @Test("each key is bound to the algorithms that it can have")
    func bound() throws {
        let set = try Self.parse(
            Self.ec + #","kid":"ec""#, Self.ed + #","kid":"ed""#, Self.rsa + #","kid":"rsa""#, Self.rsa + #","kid":"ps","alg":"PS256""#)
        #expect(set.notes.isEmpty)
        #expect(set.keys.map(\.id) == ["ec", "ed", "rsa", "ps"])
        #expect(
            set.keys.map(\.algorithms)
                == [[.es256], [.edDSA, .ed25519], [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512], [.ps256]])
        #expect(try Self.parse(Self.secret).keys.map(\.algorithms) == [[.hs256, .hs384, .hs512]])
    }

    static let unusable: [(String, UnusableKey)] = [
        (#""kty":"PQ","kid":"x""#, .unknownType), (#""kid":"x""#, .malformed), (#""kty":7"#, .malformed), (ec + #","kid":7"#, .malformed),
        (ec + #","use":"enc""#, .notForVerifying), (ec + #","key_ops":["sign"]"#, .notForVerifying),
        (ec + #","key_ops":[]"#, .notForVerifying),
        (ec + #","key_ops":"verify""#, .malformed), (ec + #","alg":"ES384""#, .algorithmMismatch),
        (ec + #","alg":"RS256""#, .algorithmMismatch),
        (ec + #","alg":"ES521""#, .unknownAlgorithm), (ec + #","alg":"none""#, .unknownAlgorithm),
        (rsa + #","alg":"RSA-OAEP""#, .unknownAlgorithm),
        (rsa + #","alg":"HS256""#, .algorithmMismatch), (secret + #","alg":"RS256""#, .algorithmMismatch),
        (#""kty":"EC","crv":"secp256k1","x":"AA","y":"AA""#, .unknownCurve), (#""kty":"OKP","crv":"X25519","x":"AA""#, .unknownCurve),
        (#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU""#, .malformed),
        // A stray bit in the text; one bit off the curve; another curve's width.
        (
            #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1""#,
            .malformed
        ),
        (
            #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4""#,
            .invalidNumbers
        ),
        (
            #""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#,
            .invalidNumbers
        ),
        (
            #""kty":"EC","crv":"P-384","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#,
            .invalidNumbers
        ),
        (#""kty":"EC","crv":"P-256","x":"","y":"""#, .invalidNumbers), (#""kty":"OKP","crv":"Ed25519","x":"AAAA""#, .invalidNumbers),
        (#""kty":"RSA","n":"","e":"AQAB""#, .tooShort), (#""kty":"RSA","n":"AQAB","e":"AQAB""#, .tooShort),
        (#""kty":"RSA","n":"\#(rsaModulus)","e":"AQ""#, .weakExponent), (#""kty":"RSA","n":"\#(rsaModulus)","e":"AA""#, .weakExponent),
        (#""kty":"RSA","n":"\#(rsaModulus)","e":"BA""#, .weakExponent), (#""kty":"RSA","n":"\#(rsaModulus)=","e":"AQAB""#, .malformed),
        (#""kty":"RSA","n":"\#(String(repeating: "_", count: 1_368))","e":"AQAB""#, .tooLong),
        (#""kty":"oct","k":"""#, .tooShort), (#""kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#, .tooShort),
        (#""kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","alg":"HS384""#, .algorithmMismatch),
    ]

    @Test("an unusable key is left out with a note, and the others are kept", arguments: unusable)
    func leavesOut(key: String, reason: UnusableKey) throws {
        #expect(
            throws: KeySetFailure.noUsableKey([KeyNote(index: 0, id: key.contains(#""kid":"x""#) ? "x" : nil, remark: .ignored(reason))])
        ) {
            try Self.parse(key)
        }
        let good = key.contains("oct") ? Self.secret : Self.ed
        let set = try Self.parse(key, good + #","kid":"good""#)
        #expect(set.keys.map(\.id) == ["good"])
        #expect(set.notes.map(\.remark) == [.ignored(reason)])
    }

    @Test("an element that is not an object is left out")
    func notAnObject() throws {
        let text = #"{"keys":[7,null,"x",{\#(Self.ed)}]}"#
        let set = try KeySet.parse(jwks: Array(text.utf8), acceptsSecrets: false)
        #expect(set.keys.count == 1)
        #expect(set.notes == (0..<3).map { KeyNote(index: $0, id: nil, remark: .ignored(.notAnObject)) })
    }

    static let documents = ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":null}", "<html>", "{\"keys\":[],\"keys\":[]}", "null"]

    @Test("a document that is not a key set is refused", arguments: documents)
    func noKeySet(text: String) {
        #expect(throws: KeySetFailure.self) { try KeySet.parse(jwks: Array(text.utf8), acceptsSecrets: true) }
    }

    @Test("a set has at most 128 keys")
    func tooMany() throws {
        let key = "{\(Self.ed)}"
        func document(_ count: Int) -> [UInt8] {
            Array(("{\"keys\":[" + Array(repeating: key, count: count).joined(separator: ",") + "]}").utf8)
        }
        #expect(try KeySet.parse(jwks: document(128), acceptsSecrets: false).keys.count == 128)
        #expect(throws: KeySetFailure.tooManyKeys) { try KeySet.parse(jwks: document(129), acceptsSecrets: false) }
    }

    @Test("a set never mixes secrets with public keys, and no secret is taken from a network")
    func secrets() throws {
        #expect(throws: KeySetFailure.mixesSecretsAndPublicKeys) { try Self.parse(Self.ec, Self.secret) }
        let set = try Self.parse(Self.ec, Self.secret, acceptsSecrets: false)
        #expect(set.keys.count == 1)
        #expect(set.notes.map(\.remark) == [.ignored(.secretNotAllowed)])
    }

    @Test("a published private key causes a warning, and its public part is used")
    func privateHalf() throws {
        let set = try Self.parse(Self.ed + #","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","kid":"ed""#)
        #expect(set.keys.count == 1)
        #expect(set.notes == [KeyNote(index: 0, id: "ed", remark: .holdsPrivateHalf)])
    }

    @Test("a single key is a set")
    func singleKey() throws {
        #expect(try KeySet.parse(jwks: Array("{\(Self.ec)}".utf8), acceptsSecrets: false) == Self.parse(Self.ec))
    }

    /// A power of 65537 has the mark of CVE-2017-15361 by construction: it is one modulo every prime.
    @Test("an RSA key with a computable private key is refused")
    func factorable() throws {
        func times65537(_ number: [UInt8]) -> [UInt8] {
            var product: [UInt8] = []
            var carry: UInt32 = 0
            for digit in number.reversed() {
                carry += UInt32(digit) * 65_537
                product.append(UInt8(truncatingIfNeeded: carry))
                carry >>= 8
            }
            while carry > 0 {
                product.append(UInt8(truncatingIfNeeded: carry))
                carry >>= 8
            }
            return product.reversed()
        }
        let modulus = (0..<130).reduce([UInt8]([1])) { number, _ in times65537(number) }
        func key(_ modulus: [UInt8]) -> String { #""kty":"RSA","e":"AQAB","n":"\#(Base64URL.encode(modulus))""# }
        #expect(throws: KeySetFailure.noUsableKey([KeyNote(index: 0, id: nil, remark: .ignored(.factorable))])) {
            try Self.parse(key(modulus))
        }
        #expect(try Self.parse(Self.rsa).keys.count == 1)
    }

    // MARK: choosing

    static func verdict(_ set: KeySet, header: String) throws -> Verdict {
        try TokenVerifier(policy: TokenMint.policy(), keys: set).verify(TokenMint.good().with(header: header))
    }

    static func key(_ byte: UInt8, _ id: String?) throws -> VerificationKey {
        try VerificationKey(secret: [UInt8](repeating: byte, count: 64), id: id)
    }

    @Test("a token with a kid is verified with the key of that kid only")
    func namedKey() throws {
        let set = KeySet(keys: [try Self.key(1, "a"), try Self.key(7, "b"), try Self.key(2, nil)])
        #expect(try Self.verdict(set, header: #"{"alg":"HS256","kid":"b"}"#).isAccepted)
        #expect(try Self.verdict(set, header: #"{"alg":"HS256","kid":"a"}"#) == .rejected(.badSignature))
        #expect(try Self.verdict(set, header: #"{"alg":"HS256","kid":"c"}"#) == .unknownKey(kid: "c"))
    }

    @Test("a token without a kid is tried with at most four fitting keys")
    func unnamedKey() throws {
        let four = try [Self.key(1, "a"), Self.key(2, "b"), Self.key(3, nil), Self.key(7, "d")]
        #expect(try Self.verdict(KeySet(keys: four), header: #"{"alg":"HS256"}"#).isAccepted)
        #expect(try Self.verdict(KeySet(keys: Array(four.prefix(3))), header: #"{"alg":"HS256"}"#) == .rejected(.badSignature))
        #expect(try Self.verdict(KeySet(keys: four + [Self.key(5, "e")]), header: #"{"alg":"HS256"}"#) == .rejected(.ambiguousKey))
        #expect(try Self.verdict(Self.parse(Self.ec), header: #"{"alg":"HS256"}"#) == .unknownKey(kid: nil))
    }

    @Test("a kid that two fitting keys share is refused; different algorithms distinguish the keys")
    func sharedID() throws {
        let both = KeySet(keys: [try Self.key(7, "a"), try Self.key(8, "a")])
        #expect(try Self.verdict(both, header: #"{"alg":"HS256","kid":"a"}"#) == .rejected(.ambiguousKey))
        let apart = KeySet(keys: [
            try VerificationKey(secret: TokenMint.secret, id: "a", algorithm: .hs256),
            try VerificationKey(secret: [UInt8](repeating: 8, count: 64), id: "a", algorithm: .hs512),
        ])
        #expect(try Self.verdict(apart, header: #"{"alg":"HS256","kid":"a"}"#).isAccepted)
        #expect(try Self.parse(Self.ec + #","kid":"a""#, Self.ed + #","kid":"a""#).notes.map(\.remark) == [.duplicateID])
    }

    @Test("a key is not used if an unusable key has the same kid, unless that key is for another purpose")
    func disputedID() throws {
        #expect(throws: KeySetFailure.self) {
            try Self.parse(Self.ed + #","kid":"a""#, #""kty":"OKP","crv":"Ed25519","x":"AAA","kid":"a""#)
        }
        let set = try Self.parse(Self.ed + #","kid":"a""#, #""kty":"OKP","crv":"Ed25519","x":"AAA","kid":"a""#, Self.ec + #","kid":"b""#)
        #expect(set.keys.map(\.id) == ["b"])
        #expect(set.notes.map(\.remark) == [.ignored(.invalidNumbers), .disputedID])
        #expect(try Self.parse(Self.ed + #","kid":"a""#, Self.ec + #","kid":"a","use":"enc""#).keys.count == 1)
    }

    @Test("kids are compared byte for byte")
    func idIsBytes() throws {
        let set = KeySet(keys: [try Self.key(7, "cl\u{E9}")])
        #expect(try Self.verdict(set, header: "{\"alg\":\"HS256\",\"kid\":\"cle\u{301}\"}") == .unknownKey(kid: "cle\u{301}"))
        #expect(try Self.verdict(set, header: "{\"alg\":\"HS256\",\"kid\":\"cl\u{E9}\"}").isAccepted)
    }

    @Test("sets are equal when their keys, kids and algorithms are equal")
    func equality() throws {
        #expect(try Self.parse(Self.ec) == Self.parse(Self.ec + #","use":"sig""#))
        #expect(try Self.parse(Self.ec) != Self.parse(Self.ec + #","kid":"a""#))
        #expect(try Self.parse(Self.rsa) != Self.parse(Self.rsa + #","alg":"RS256""#))
        #expect(try Self.parse(Self.ec) != Self.parse(Self.ed))
        #expect(KeySet(keys: [try Self.key(1, nil)]) != KeySet(keys: [try Self.key(2, nil)]))
    }

    // MARK: PEM

    @Test("a set may be PEM, with a kid and an algorithm in a line before each key")
    func pem() throws {
        let first = try PrivateKey.generate(.elliptic(.p384)).publicKey.pem()
        let second = try PrivateKey.generate(.rsa(bits: 2048)).publicKey.pem()
        #expect(try KeySet.parse(pem: first).keys.map(\.id) == [nil])
        let set = try KeySet.parse(pem: "The platform's keys\n kid : ops-1\n\(first)\r\nkid: ops-2\nalg: PS256\n\(second)\nkid: nobody\n")
        #expect(set.keys.map(\.id) == ["ops-1", "ops-2"])
        #expect(set.keys.map(\.algorithms) == [[.es384], [.ps256]])
        #expect(throws: KeySetFailure.noUsableKey([KeyNote(index: 0, id: nil, remark: .ignored(.algorithmMismatch))])) {
            try KeySet.parse(pem: "alg: ES256\n" + first)
        }
        #expect(throws: KeySetFailure.unknownAlgorithm) { try KeySet.parse(pem: "alg: none\n" + first) }
        #expect(throws: KeySetFailure.self) { try KeySet.parse(pem: "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n") }
        #expect(throws: KeySetFailure.self) { try KeySet.parse(pem: first + second.dropLast(40) + "-----END PUBLIC KEY-----") }
        #expect(throws: KeySetFailure.self) { try KeySet.parse(pem: try PrivateKey.generate(.elliptic(.p256)).pem()) }
        #expect(throws: KeySetFailure.notAKeySet) { try KeySet.parse(pem: "kid: a\n") }
    }

    @Test("a set is read from a JWK Set file and from a PEM file")
    func file() throws {
        let key = try PrivateKey.generate(.edwards(.ed25519)).publicKey
        #expect(try KeySet.parse(file: Array(try key.pem().utf8)) == KeySet.parse(pem: try key.pem()))
        #expect(try KeySet.parse(file: Array("\n {\"keys\":[{\(Self.ec)}]}".utf8)) == Self.parse(Self.ec))
        #expect(throws: KeySetFailure.notAKeySet) { try KeySet.parse(file: []) }
        #expect(throws: KeySetFailure.self) { try KeySet.parse(file: Array("{".utf8)) }
        #expect(throws: KeySetFailure.notAKeySet) { try KeySet.parse(file: [0xFF, 0xFE, 0x00]) }
    }

    @Test("an RSA key under 2048 bits is refused, also in PEM")
    func shortRSA() throws {
        let key = try PrivateKey.generate(.rsa(bits: 1024)).publicKey
        #expect(throws: KeySetFailure.noUsableKey([KeyNote(index: 0, id: nil, remark: .ignored(.tooShort))])) {
            try KeySet.parse(pem: try key.pem())
        }
    }
}
