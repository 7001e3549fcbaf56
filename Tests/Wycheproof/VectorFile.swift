import Auth
import Foundation
import JSON
import OpenSSL

/// One of Wycheproof's files, and how its cases are put to the code under test.
struct VectorFile: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let name: String
    let subject: Subject

    /// What the cases of a file are put to.
    enum Subject: Sendable {
        case tokens
        case signatures(SignatureScheme)
        case codes
    }

    static let all: [VectorFile] = [
        VectorFile(name: "json_web_signature_test.json", subject: .tokens),
        VectorFile(name: "json_web_key_test.json", subject: .tokens),
        VectorFile(name: "json_web_crypto_test.json", subject: .tokens),
        VectorFile(name: "ecdsa_secp256r1_sha256_p1363_test.json", subject: .signatures(.ecdsa(.sha256))),
        VectorFile(name: "ecdsa_secp384r1_sha384_p1363_test.json", subject: .signatures(.ecdsa(.sha384))),
        VectorFile(name: "ecdsa_secp521r1_sha512_p1363_test.json", subject: .signatures(.ecdsa(.sha512))),
        VectorFile(name: "ed25519_test.json", subject: .signatures(.edwards)),
        VectorFile(name: "rsa_signature_2048_sha256_test.json", subject: .signatures(.rsaPKCS1(.sha256))),
        VectorFile(name: "rsa_pss_2048_sha256_mgf1_32_test.json", subject: .signatures(.rsaPSS(.sha256))),
        VectorFile(name: "hmac_sha256_test.json", subject: .codes),
    ]

    func run(in folder: URL, into tally: inout Tally) throws {
        let bytes = [UInt8](try Data(contentsOf: folder.appending(path: name)))
        let document = try JSONValue.parse(bytes, limits: JSONLimits(maximumValues: 1_000_000))
        let groups = try (document["testGroups"]?.array).required("testGroups")
        let count = tally.passed + tally.failed
        for group in groups { try judge(group, &tally) }
        let ran = tally.passed + tally.failed - count
        guard Int64(ran) == document["numberOfTests"]?.int64, ran > 0 else {
            throw Failure(description: "ran \(ran) cases of \(document["numberOfTests"]?.int64 ?? 0)")
        }
    }

    private func judge(_ group: JSONValue, _ tally: inout Tally) throws {
        switch subject {
        case .tokens: try tokens(group, &tally)
        case .signatures(let scheme): try signatures(group, scheme, &tally)
        case .codes: try codes(group, &tally)
        }
    }

    // MARK: tokens

    private func tokens(_ group: JSONValue, _ tally: inout Tally) throws {
        // HMAC keys stand under "private"; the other groups have both.
        let key = try (group["public"] ?? group["private"]).required("key")
        for test in try (group["tests"]?.array).required("tests") {
            let isEncrypted = test["jws"] == nil
            // The JSON serialization comes as a string or as an object: as text it is the same refusal.
            let token = try (test["jws"] ?? test["jwe"]).required("token")
            let reason = rejection(of: token.string ?? token.text, by: key)
            // An encrypted token is none of ours, valid or not.
            let expected = test["result"]?.string == "valid" && !isEncrypted
            tally.check(
                name, id(of: test), comment: test["comment"]?.string ?? "", expected: expected, actual: reason == nil, because: reason ?? ""
            )
        }
    }

    /// nil when the token is verified.
    private func rejection(of token: String, by key: JSONValue) -> String? {
        let keys: KeySet
        do {
            keys = try KeySet.parse(jwks: Array(key.text.utf8), acceptsSecrets: true)
        } catch {
            return "\(error)"
        }
        do {
            _ = try VerifiedJWS(token.utf8.span, keys: keys, policy: TokenPolicy())
            return nil
        } catch {
            return error.name
        }
    }

    // MARK: raw algorithms

    private func signatures(_ group: JSONValue, _ scheme: SignatureScheme, _ tally: inout Tally) throws {
        let key = try PublicKey(pem: try (group["publicKeyPem"]?.string).required("publicKeyPem"))
        // The same key by its numbers, as a key set gives it.
        let rebuilt = try PublicKey(try key.numbers())
        for test in try (group["tests"]?.array).required("tests") {
            let message = try bytes(test, "msg")
            let signature = try bytes(test, "sig")
            let isValid = Self.holds(signature, message, key, scheme)
            guard Self.holds(signature, message, rebuilt, scheme) == isValid else {
                throw Failure(description: "case \(id(of: test)): the key from its numbers differs from the key from PEM")
            }
            check(test, actual: isValid, &tally)
        }
    }

    private func codes(_ group: JSONValue, _ tally: inout Tally) throws {
        let width = Int(try (group["tagSize"]?.int64).required("tagSize")) / 8
        for test in try (group["tests"]?.array).required("tests") {
            let code = try bytes(test, "tag")
            // Tokens use the whole code (RFC 7518 §3.2), so a cut one is compared here.
            let isValid = Self.holds(code, try bytes(test, "msg"), try bytes(test, "key"), cutTo: width)
            check(test, actual: isValid, &tally)
        }
    }

    private static func holds(_ signature: [UInt8], _ message: [UInt8], _ key: PublicKey, _ scheme: SignatureScheme) -> Bool {
        key.isValid(signature.span, for: message.span, scheme: scheme)
    }

    private static func holds(_ code: [UInt8], _ message: [UInt8], _ secret: [UInt8], cutTo width: Int) -> Bool {
        let key = SecretKey(secret.span)
        if width == Digest.sha256.byteCount { return key.isValid(code.span, for: message.span, digest: .sha256) }
        return Array(key.authenticationCode(for: message.span, digest: .sha256).prefix(width)) == code
    }

    /// "acceptable" marks forms that were once allowed; here they are refused like any other.
    private func check(_ test: JSONValue, actual: Bool, _ tally: inout Tally) {
        tally.check(
            name, id(of: test), comment: test["comment"]?.string ?? "", expected: test["result"]?.string == "valid", actual: actual)
    }

    private func id(of test: JSONValue) -> String {
        test["tcId"]?.number?.text ?? "?"
    }

    private func bytes(_ test: JSONValue, _ name: String) throws -> [UInt8] {
        let text = Array(try (test[name]?.string).required(name).utf8)
        return try stride(from: 0, to: text.count, by: 2).map { index in
            let pair = String(decoding: text[index..<min(index + 2, text.count)], as: UTF8.self)
            return try UInt8(pair, radix: 16).required("hex in \(name)")
        }
    }
}

extension Optional {
    fileprivate func required(_ what: String) throws -> Wrapped {
        guard let self else { throw VectorFile.Failure(description: "no \(what)") }
        return self
    }
}
