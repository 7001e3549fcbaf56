import Auth
import Bytes
import JSON
import OpenSSL

/// Makes tokens by hand, so that a test can spoil any single part of one.
struct TokenMint {
    var header: String
    var payload: String
    var sign: (_ message: [UInt8]) throws -> [UInt8]

    static let now: Int64 = 1_800_000_000
    static let secret = [UInt8](repeating: 7, count: 64)

    /// A token that `TokenMint.verifier()` accepts.
    static func good() -> TokenMint {
        TokenMint(
            header: #"{"alg":"HS256","typ":"JWT","kid":"k"}"#,
            payload: #"{"sub":"alice","exp":1800000600,"iat":1799999990,"iss":"https://id.example","aud":"hub"}"#,
            sign: { SecretKey(Self.secret.span).authenticationCode(for: $0.span, digest: .sha256) })
    }

    static func policy() -> TokenPolicy {
        TokenPolicy(issuer: "https://id.example", audiences: ["hub"])
    }

    static func keys() throws -> KeySet {
        KeySet(keys: [try VerificationKey(secret: secret, id: "k")])
    }

    static func verifier(_ policy: TokenPolicy = policy(), cacheCapacity: Int = 16) throws -> TokenVerifier {
        TokenVerifier(policy: policy, keys: try keys(), cacheCapacity: cacheCapacity)
    }

    func text() throws -> String {
        let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(payload.utf8)
        return signed + "." + Base64URL.encode(try sign(Array(signed.utf8)))
    }

    func with(header: String) -> TokenMint {
        var copy = self
        copy.header = header
        return copy
    }

    func with(payload: String) -> TokenMint {
        var copy = self
        copy.payload = payload
        return copy
    }
}

extension TokenVerifier {
    func verify(_ mint: TokenMint, now: Int64 = TokenMint.now) throws -> Verdict {
        verify(try mint.text(), now: now)
    }
}
