import Auth
import Bytes
import JSON
import OpenSSL

/// The first byte chooses what the others are: a token as it came, a header or a payload that gets a good signature, base64url, a key set.
enum TokenFuzz {
    private static let now: Int64 = 1_800_000_000
    private static let secret = [UInt8](repeating: 7, count: 64)
    private static let header = #"{"alg":"HS256","typ":"JWT","kid":"k"}"#
    private static let payload = #"{"sub":"alice","exp":1800000600,"iss":"https://id.example","aud":"hub"}"#

    private static let policy: TokenPolicy = {
        var policy = TokenPolicy(issuer: "https://id.example", audiences: ["hub"])
        policy.claims.roles = ["roles", "realm_access.roles"]
        return policy
    }()

    private static let keys: KeySet = {
        do {
            return KeySet(keys: [try VerificationKey(secret: secret, id: "k")])
        } catch {
            preconditionFailure("the fixed key is refused: \(error)")
        }
    }()

    static func run(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let bytes = Array(input.dropFirst())
        switch choice {
        case UInt8(ascii: "h"): runHeader(bytes)
        case UInt8(ascii: "p"): runPayload(bytes)
        case UInt8(ascii: "b"): runBase64(bytes)
        case UInt8(ascii: "k"): runKeySet(bytes)
        default: runToken(input)
        }
    }

    private static func runToken(_ bytes: [UInt8]) {
        guard case .accepted = verdict(bytes) else { return }
        precondition(bytes == signed(Array(header.utf8), Array(payload.utf8)), "a token nobody signed was accepted")
    }

    private static func runHeader(_ bytes: [UInt8]) {
        guard case .accepted = verdict(signed(bytes, Array(payload.utf8))) else { return }
        let members = object(bytes)
        precondition(members["alg"]?.string == "HS256", "the algorithm was not the key's")
        precondition(members["kid"] == nil || members["kid"]?.string == "k", "another key answered")
        precondition(members["crit"] == nil && members["b64"] == nil, "a critical parameter was passed over")
    }

    private static func runPayload(_ bytes: [UInt8]) {
        guard case .accepted(let principal) = verdict(signed(Array(header.utf8), bytes)) else { return }
        let members = object(bytes)
        precondition(principal.expiresAt > now - 30 && principal.expiresAt <= Principal.latestExpiry, "an expired token was accepted")
        precondition(members["iss"]?.string == "https://id.example", "another issuer was accepted")
        let single = [principal.subject, principal.institution, principal.tokenID].compactMap(\.self)
        for name in single + principal.roles + principal.channels {
            precondition((1...255).contains(name.utf8.count) && !name.utf8.contains { $0 < 0x20 }, "a name that is none")
        }
    }

    private static func runBase64(_ bytes: [UInt8]) {
        if let decoded = Base64URL.decode(bytes.span) {
            precondition(Array(Base64URL.encode(decoded).utf8) == bytes, "two texts for the same bytes")
        }
        precondition(Base64URL.decode(Base64URL.encode(bytes)) == bytes, "not given back")
    }

    private static func runKeySet(_ bytes: [UInt8]) {
        let set: KeySet
        do { set = try KeySet.parse(file: bytes) } catch { return }
        precondition((1...KeySet.maximumKeys).contains(set.keys.count))
        precondition(set.keys.allSatisfy { !$0.algorithms.isEmpty }, "a key that can do nothing")
        let hmac: Set<Algorithm> = [.hs256, .hs384, .hs512]
        let secrets = set.keys.filter { !$0.algorithms.isDisjoint(with: hmac) }
        precondition(secrets.isEmpty || secrets.count == set.keys.count, "secrets beside public keys")
        let verifier = TokenVerifier(policy: policy, keys: set)
        if case .accepted = verifier.verify(signed(Array(header.utf8), Array(payload.utf8)).span, now: now) {
            precondition(!secrets.isEmpty, "a public key answered for a secret")
        }
    }

    /// The same from a fresh verifier and from one that may remember.
    private static func verdict(_ token: [UInt8]) -> Verdict {
        let verifier = TokenVerifier(policy: policy, keys: keys, cacheCapacity: 2)
        let first = verifier.verify(token.span, now: now)
        precondition(verifier.verify(token.span, now: now) == first, "memory changes the verdict")
        if let text = String(validating: token, as: UTF8.self) {
            precondition(verifier.verify(text, now: now) == first, "text and bytes differ")
        }
        return first
    }

    private static func signed(_ header: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        let signed = Array((Base64URL.encode(header) + "." + Base64URL.encode(payload)).utf8)
        let code = SecretKey(secret.span).authenticationCode(for: signed.span, digest: .sha256)
        return signed + [UInt8(ascii: ".")] + Array(Base64URL.encode(code).utf8)
    }

    private static func object(_ bytes: [UInt8]) -> JSONObject {
        do {
            if case .object(let members) = try JSONValue.parse(bytes) { return members }
        } catch {
            preconditionFailure("accepted, but no JSON: \(error)")
        }
        preconditionFailure("accepted, but no object")
    }
}
