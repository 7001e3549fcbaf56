import Bytes

/// What an API gateway says about the user of a request that it lets through: it has checked the user's token itself, and signs what it found.
///
/// Three header fields carry it: `X-Signed-Context`, a JSON object with `sub`, `exp`, `iat` and the claims of the user's rights;
/// `X-Context-Signature`, HMAC-SHA-256 over the bytes of that object, in base64; and `X-Context-Kid`, the name of the key.
public struct SignedContext: Equatable, Sendable {
    public let context: String
    public let signature: String
    public let keyID: String

    public init(context: String, signature: String, keyID: String) {
        self.context = context
        self.signature = signature
        self.keyID = keyID
    }
}

/// What a request or a client shows to prove who its user is.
public enum Credential: Equatable, Sendable {
    case token(String)
    case context(SignedContext)
}

/// Verifies signed contexts with the gateway's keys. They are other keys than those of tokens: a key that signs one must not be able to sign
/// the other.
public struct ContextVerifier: Sendable {
    private let keys: KeySet
    private let policy: TokenPolicy

    /// - Parameters:
    ///   - keys: secrets for HMAC; several while the gateway changes from one to the next.
    ///   - policy: its claim names, leeway and size hold for contexts as for tokens. A context names no issuer and no audience: the key says
    ///     which gateway made it, and for whom.
    public init(keys: KeySet, policy: TokenPolicy) {
        self.keys = keys
        var policy = policy
        policy.issuer = nil
        policy.audiences = []
        policy.requiresExpiry = true
        self.policy = policy
    }

    /// - Parameter now: seconds since 1970.
    public func verify(_ signed: SignedContext, now: Int64) throws(TokenRejection) -> Principal {
        let bytes = Array(signed.context.utf8)
        guard bytes.count <= policy.maximumBytes else { throw .tooLarge }
        guard let signature = Base64.decode(signed.signature) else { throw .malformed(.signature) }
        // A context without a key id, or of an unknown key, gets no substitute.
        guard let key = try keys.candidates(keyID: signed.keyID, algorithm: .hs256).first,
            let check = key.check(by: .hs256)
        else { throw .unknownKey }
        guard check.isValid(signature.span, for: bytes.span) else { throw .badSignature }
        return try Claims(bytes).principal(under: policy, now: now).0
    }
}
