import Auth
import Bytes
import Foundation
import HangGuard
import JSON
import OpenSSL
import Testing

@Suite("Tokens of other implementations", .guarded)
struct ForeignTokenTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let maker: String
        let algorithm: Algorithm
        let key: JSONValue
        let token: String
        var testDescription: String { "\(algorithm.rawValue) by \(maker)" }
    }

    /// Made by `Fixtures/jwt/make-tokens.py`.
    static func rows() throws -> [Row] {
        try #require(try Fixture.json("jwt/tokens.json").array).map { value in
            Row(
                maker: try #require(value["by"]?.string),
                algorithm: try #require(value["alg"]?.string.flatMap(Algorithm.init(rawValue:))), key: try #require(value["key"]),
                token: try #require(value["token"]?.string))
        }
    }

    static func policy() -> TokenPolicy {
        var policy = TokenMint.policy()
        policy.claims.roles = ["realm_access.roles"]
        return policy
    }

    @Test("a token is accepted with all of its claims", arguments: try rows())
    func accepted(row: Row) throws {
        let keys = try KeySet.parse(jwks: Array(row.key.text.utf8), acceptsSecrets: true)
        let verifier = TokenVerifier(policy: Self.policy(), keys: keys)
        #expect(
            verifier.verify(row.token, now: TokenMint.now)
                == .accepted(
                    Principal(
                        subject: "\u{E9}l\u{E8}ve-7", institution: "univ-brest", roles: ["student", "reviewer"], issuedAt: 1_799_999_990,
                        expiresAt: 1_800_000_600)))
    }

    @Test("a token is refused with every other key of the table")
    func noOtherKey() throws {
        let rows = try Self.rows()
        for row in rows {
            for other in rows where other.maker.hasPrefix("joserfc") && other.key["kid"] != row.key["kid"] {
                var key = try #require(other.key.object)
                key["kid"] = row.key["kid"]
                let keys = try KeySet.parse(jwks: Array(JSONValue.object(key).text.utf8), acceptsSecrets: true)
                let verdict = TokenVerifier(policy: Self.policy(), keys: keys).verify(row.token, now: TokenMint.now)
                #expect(verdict == .rejected(other.algorithm == row.algorithm ? .badSignature : .keyMismatch))
            }
        }
    }

    /// PyJWT did not know the two of RFC 9864 yet.
    @Test("the tokens cover every algorithm, each from two implementations")
    func complete() throws {
        let rows = try Self.rows()
        for algorithm in Algorithm.allCases {
            #expect(
                Set(rows.filter { $0.algorithm == algorithm }.map { $0.maker.prefix(5) }).count
                    == ([.ed25519, .ed448].contains(algorithm) ? 1 : 2), "\(algorithm)")
        }
    }
}

/// The `openssl` program signs, we verify; and the other way round. Both on keys made for the occasion.
@Suite("Tokens made with the openssl program", .guarded)
struct OpenSSLProgramTests {
    struct Way: Sendable, CustomTestStringConvertible {
        let algorithm: Algorithm
        let generate: [String]
        let sign: [String]
        /// The field width of the curve, where the program writes DER.
        var width: Int?
        var testDescription: String { algorithm.rawValue }
    }

    static let ways = [
        Way(algorithm: .rs256, generate: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], sign: ["-digest", "sha256"]),
        Way(
            algorithm: .ps384, generate: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            sign: ["-digest", "sha384", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]),
        Way(
            algorithm: .es256, generate: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], sign: ["-digest", "sha256"], width: 32
        ),
        Way(
            algorithm: .es512, generate: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], sign: ["-digest", "sha512"], width: 66
        ),
        Way(algorithm: .edDSA, generate: ["-algorithm", "ED25519"], sign: []),
        Way(algorithm: .edDSA, generate: ["-algorithm", "ED448"], sign: []),
    ]

    @Test("a token of openssl is accepted with the key from its PEM file", arguments: ways)
    func accepted(way: Way) throws {
        let folder = try ScratchFolder()
        try Self.openssl(["genpkey"] + way.generate + ["-out", folder.path("key.pem")])
        try Self.openssl(["pkey", "-in", folder.path("key.pem"), "-pubout", "-out", folder.path("public.pem")])
        let keys = try KeySet.parse(pem: "kid: cli\nalg: \(way.algorithm.rawValue)\n" + (try folder.text("public.pem")))
        let verifier = TokenVerifier(policy: TokenMint.policy(), keys: keys)
        // An ECDSA half has a leading zero byte once in 128 signatures: several rounds, so that lengths vary.
        for _ in 0..<(way.width == nil ? 1 : 8) {
            var mint = TokenMint.good().with(header: #"{"alg":"\#(way.algorithm.rawValue)","kid":"cli"}"#)
            mint.sign = { message in
                try Data(message).write(to: folder.url("message"))
                try Self.openssl(
                    [
                        "pkeyutl", "-sign", "-rawin", "-inkey", folder.path("key.pem"), "-in", folder.path("message"), "-out",
                        folder.path("signature"),
                    ]
                        + way.sign)
                let signature = try folder.bytes("signature")
                guard let width = way.width else { return signature }
                return Self.fixedWidth(der: signature, width)
            }
            #expect(try verifier.verify(mint).isAccepted)
        }
    }

    @Test(
        "openssl verifies the tokens of the development signer",
        arguments: [PublicKey.Family.elliptic(.p256), .edwards(.ed25519), .rsa(bits: 2048)])
    func verifiedThere(kind: PublicKey.Family) throws {
        let folder = try ScratchFolder()
        let signer = try TokenSigner.generate(kind)
        let token = try signer.token(for: TokenSignerTests.alice, issuer: "i", audience: "a")
        let parts = token.split(separator: ".").map(String.init)
        var signature = try #require(Base64URL.decode(parts[2]))
        if kind == .elliptic(.p256) { signature = Self.der(fixedWidth: signature) }
        try Data((parts[0] + "." + parts[1]).utf8).write(to: folder.url("message"))
        try Data(signature).write(to: folder.url("signature"))
        try Data(try PrivateKey(pem: try signer.pem()).publicKey.pem().utf8).write(to: folder.url("public.pem"))
        try Self.openssl(
            [
                "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", folder.path("public.pem"), "-in", folder.path("message"), "-sigfile",
                folder.path("signature"),
            ] + (kind == .edwards(.ed25519) ? [] : ["-digest", "sha256"]))
    }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments.joined(separator: " "))")
    }

    /// Two integers of a short DER sequence, padded; written anew here so that the code under test does not check itself.
    private static func fixedWidth(der: [UInt8], _ width: Int) -> [UInt8] {
        var at = der[1] == 0x81 ? 3 : 2
        var halves: [UInt8] = []
        for _ in 0..<2 {
            let count = Int(der[at + 1])
            let digits = der[(at + 2)..<(at + 2 + count)].drop { $0 == 0 }
            halves += [UInt8](repeating: 0, count: width - digits.count) + digits
            at += 2 + count
        }
        return halves
    }

    private static func der(fixedWidth bytes: [UInt8]) -> [UInt8] {
        let integers = [bytes.prefix(32), bytes.suffix(32)].flatMap { half -> [UInt8] in
            let digits = Array(half.drop { $0 == 0 })
            let signed = (digits.first ?? 0x80) >= 0x80 ? [0] + digits : digits
            return [0x02, UInt8(signed.count)] + signed
        }
        return [0x30, UInt8(integers.count)] + integers
    }
}

/// A folder that goes with its test.
final class ScratchFolder {
    private let root = FileManager.default.temporaryDirectory.appending(path: "hub-auth-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true) }

    deinit {
        // Only a leftover in /tmp would come of a failure here.
        _ = try? FileManager.default.removeItem(at: root)
    }

    func url(_ name: String) -> URL { root.appending(path: name) }
    func path(_ name: String) -> String { url(name).path }
    func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: url(name))) }
    func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
}
