import HangGuard
import OpenSSL
import Testing

@Suite("Keys and signatures", .guarded)
struct SignatureTests {
    static let message = Array("nothing that was acknowledged is ever lost".utf8)

    static let pairs: [(PublicKey.Family, SignatureScheme, Int)] = [
        (.rsa(bits: 2048), .rsaPKCS1(.sha256), 256), (.rsa(bits: 2048), .rsaPKCS1(.sha512), 256), (.rsa(bits: 2048), .rsaPSS(.sha256), 256),
        (.rsa(bits: 2048), .rsaPSS(.sha384), 256), (.rsa(bits: 2048), .rsaPSS(.sha512), 256), (.elliptic(.p256), .ecdsa(.sha256), 64),
        (.elliptic(.p384), .ecdsa(.sha384), 96), (.elliptic(.p521), .ecdsa(.sha512), 132), (.edwards(.ed25519), .edwards, 64),
        (.edwards(.ed448), .edwards, 114),
    ]

    @Test("a key verifies only its own signatures, at their exact length", arguments: pairs)
    func roundTrip(kind: PublicKey.Family, scheme: SignatureScheme, byteCount: Int) throws {
        let key = try PrivateKey.generate(kind)
        // ECDSA halves have leading zeros once in 128 signatures: enough rounds to see both forms.
        for _ in 0..<(byteCount == 256 ? 2 : 300) {
            let signature = try key.signature(for: Self.message, scheme: scheme)
            #expect(signature.count == byteCount)
            #expect(key.publicKey.isValid(signature, for: Self.message, scheme: scheme))
        }
        let signature = try key.signature(for: Self.message, scheme: scheme)
        var spoiled = signature
        spoiled[signature.count / 2] ^= 1
        for wrong in [
            [], [0], Array(signature.dropLast()), signature + [0], [0] + signature, spoiled, [UInt8](repeating: 0, count: byteCount),
        ] {
            #expect(!key.publicKey.isValid(wrong, for: Self.message, scheme: scheme))
        }
        #expect(!key.publicKey.isValid(signature, for: [], scheme: scheme))
        #expect(!(try PrivateKey.generate(kind).publicKey.isValid(signature, for: Self.message, scheme: scheme)))
    }

    @Test("a checker's result does not depend on earlier signatures", arguments: pairs)
    func oneCheckerForMany(kind: PublicKey.Family, scheme: SignatureScheme, byteCount: Int) throws {
        let key = try PrivateKey.generate(kind)
        let checker = try #require(SignatureChecker(key.publicKey, scheme: scheme))
        let other = Array("another message".utf8)
        let (first, second) = (try key.signature(for: Self.message, scheme: scheme), try key.signature(for: other, scheme: scheme))
        var spoiled = first
        spoiled[byteCount / 2] ^= 1
        for _ in 0..<3 {
            #expect(checker.isValid(first, for: Self.message))
            #expect(!checker.isValid(second, for: Self.message))
            #expect(checker.isValid(second, for: other))
            #expect(!checker.isValid(spoiled, for: Self.message))
            #expect(!checker.isValid([UInt8](repeating: 0, count: byteCount), for: Self.message))
            #expect(!checker.isValid([], for: Self.message))
        }
        #expect(checker.isValid(first, for: Self.message))
    }

    @Test("a key refuses an algorithm of another family")
    func wrongScheme() throws {
        let families: [(PublicKey.Family, own: SignatureScheme, others: [SignatureScheme])] = [
            (.rsa(bits: 2048), .rsaPSS(.sha256), [.ecdsa(.sha256), .edwards]),
            (.elliptic(.p256), .ecdsa(.sha256), [.rsaPKCS1(.sha256), .rsaPSS(.sha256), .edwards]),
            (.edwards(.ed25519), .edwards, [.rsaPKCS1(.sha256), .rsaPSS(.sha256), .ecdsa(.sha256)]),
        ]
        for (kind, own, others) in families {
            let key = try PrivateKey.generate(kind)
            let signature = try key.signature(for: Self.message, scheme: own)
            for other in others {
                #expect(!key.publicKey.isValid(signature, for: Self.message, scheme: other))
                #expect(SignatureChecker(key.publicKey, scheme: other) == nil)
                #expect(throws: KeyFailure.wrongScheme) { try key.signature(for: Self.message, scheme: other) }
            }
        }
    }

    @Test("a key from numbers equals the same key from PEM", arguments: pairs)
    func numbersAndPEM(kind: PublicKey.Family, scheme: SignatureScheme, byteCount: Int) throws {
        let key = try PrivateKey.generate(kind)
        let numbers = try key.publicKey.numbers()
        let signature = try key.signature(for: Self.message, scheme: scheme)
        for copy in [try PublicKey(numbers), try PublicKey(pem: try key.publicKey.pem()), try PrivateKey(pem: try key.pem()).publicKey] {
            #expect(copy.family == key.publicKey.family)
            #expect(try copy.numbers() == numbers)
            #expect(copy.isValid(signature, for: Self.message, scheme: scheme))
        }
    }

    /// SEC 1 §2.3.3 writes a point also by x and one bit of y; a coordinate of a key read that way is as wide as ever.
    @Test("coordinates are written at full width, also with leading zeros")
    func fullWidth() throws {
        for curve in Curve.allCases {
            for _ in 0..<100 {
                guard case .elliptic(_, let x, let y) = try PrivateKey.generate(.elliptic(curve)).publicKey.numbers() else {
                    Issue.record("no elliptic key")
                    return
                }
                #expect(x.count == curve.fieldByteCount && y.count == curve.fieldByteCount)
            }
        }
    }

    static let unsupported = [
        // X25519 and secp256k1, made by `openssl`.
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAitkxY6SPTJnML/c0WpPBqbVb5T/Xi4HjHMRWYpZmDGo=\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE1NOfG5mUtp+/TrscFW8mH2FULqGpCoFt\nnYya9L9eApbNC2xxDd3J6gmb3UoSE8Jg/yev1EpnXCdbug8eZGZt6A==\n-----END PUBLIC KEY-----\n",
    ]

    @Test("keys of families that tokens do not use are refused", arguments: unsupported)
    func families(pem: String) {
        #expect(throws: KeyFailure.self) { try PublicKey(pem: pem) }
    }

    @Test("an encrypted private key is refused without a prompt for its passphrase")
    func passphrase() {
        // `openssl pkcs8 -topk8 -passout pass:x`
        let pem = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIGaMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAi82K231gewygIBATAM
            BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQlQF5kc2I5PCWfDQ67pz9ogRAjgtb
            yfyvHhU56aCZw/wo95Dk5yh4sLYvCOUsKV4OBluf5Zp5fw8HknG0fgOlOIbeTj82
            3iLoXYoxFXgBBx4K/g==
            -----END ENCRYPTED PRIVATE KEY-----

            """
        #expect(throws: KeyFailure.self) { try PrivateKey(pem: pem) }
    }

    // MARK: hashes

    /// FIPS 180-4's "abc", as printed in NIST's examples.
    static let hashes: [(Digest, String)] = [
        (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (.sha384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"),
        (
            .sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
    ]

    @Test("SHA-2 of \"abc\" is the standard's digest", arguments: hashes)
    func hash(digest: Digest, hex: String) {
        #expect(Self.hex(digest.hash(Array("abc".utf8))) == hex)
    }

    /// RFC 4231 §4.3 (test case 2) and §4.2 (test case 1).
    static let codes: [(Digest, key: [UInt8], data: String, hex: String)] = [
        (.sha256, Array("Jefe".utf8), "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            .sha384, Array("Jefe".utf8), "what do ya want for nothing?",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"
        ),
        (.sha256, [UInt8](repeating: 0x0B, count: 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    ]

    @Test("HMAC gives the results of RFC 4231", arguments: codes)
    func authenticationCode(digest: Digest, key: [UInt8], data: String, hex: String) {
        let secret = SecretKey(key.span)
        let code = secret.authenticationCode(for: Array(data.utf8), digest: digest)
        #expect(Self.hex(code) == hex)
        #expect(secret.isValid(code, for: Array(data.utf8), digest: digest))
        #expect(!secret.isValid(Array(code.dropLast()), for: Array(data.utf8), digest: digest))
        for index in code.indices {
            var spoiled = code
            spoiled[index] ^= 0x80
            #expect(!secret.isValid(spoiled, for: Array(data.utf8), digest: digest))
        }
    }

    @Test("HMAC takes an empty secret and an empty message")
    func emptySecret() {
        let secret = SecretKey([UInt8]().span)
        #expect(
            Self.hex(secret.authenticationCode(for: [], digest: .sha256))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

// A span cannot pass through `#expect`.
extension PublicKey {
    fileprivate func isValid(_ signature: [UInt8], for message: [UInt8], scheme: SignatureScheme) -> Bool {
        isValid(signature.span, for: message.span, scheme: scheme)
    }
}

extension PrivateKey {
    fileprivate func signature(for message: [UInt8], scheme: SignatureScheme) throws(KeyFailure) -> [UInt8] {
        try signature(for: message.span, scheme: scheme)
    }
}

extension SecretKey {
    fileprivate func authenticationCode(for message: [UInt8], digest: Digest) -> [UInt8] {
        authenticationCode(for: message.span, digest: digest)
    }

    fileprivate func isValid(_ code: [UInt8], for message: [UInt8], digest: Digest) -> Bool {
        isValid(code.span, for: message.span, digest: digest)
    }
}

extension Digest {
    fileprivate func hash(_ bytes: [UInt8]) -> [UInt8] { hash(bytes.span) }
}

extension SignatureChecker {
    fileprivate func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool { isValid(signature.span, for: message.span) }
}
