internal import OpenSSL

/// What became of a token.
public enum Verdict: Equatable, Sendable {
    case accepted(Principal)
    case rejected(TokenRejection)
    /// No key of that `kid` (or, for nil, none that fits) is known yet: worth asking the key source, once.
    case unknownKey(kid: String?)
}

/// Verifies tokens against a policy and a key set, remembering what it has verified.
///
/// One for each event loop: it is not Sendable and takes no lock.
public final class TokenVerifier {
    public let policy: TokenPolicy
    public private(set) var keys: KeySet
    private var cache: VerifiedTokens

    /// - Parameter cacheCapacity: verified tokens remembered, about 300 bytes each; a busy browser reconnects with the same one.
    public init(policy: TokenPolicy, keys: KeySet, cacheCapacity: Int = 4_096) {
        self.policy = policy
        self.keys = keys
        cache = VerifiedTokens(capacity: cacheCapacity)
    }

    /// Uses these keys from now on. What was verified with others is forgotten, for a key may have been withdrawn.
    public func replace(keys: KeySet) {
        guard keys != self.keys else { return }
        self.keys = keys
        cache.removeAll()
    }

    /// - Parameter now: seconds since 1970.
    public func verify(_ token: String, now: Int64) -> Verdict {
        verify(token.utf8.span, now: now)
    }

    public func verify(_ token: Span<UInt8>, now: Int64) -> Verdict {
        guard token.count <= policy.maximumBytes else { return .rejected(.tooLarge) }
        let digest = TokenDigest(token)
        if let principal = cache.principal(for: digest, now: now) { return .accepted(principal) }
        var keyID: String?
        do {
            let parsed = try CompactJWS(token)
            keyID = parsed.header.keyID
            try parsed.judge(token, keys: keys, policy: policy)
            let claims = try Claims(parsed.payload)
            let principal = try claims.principal(under: policy, now: now)
            return .accepted(cache.insert(principal, for: digest, validFrom: try claims.validFrom(under: policy)))
        } catch TokenRejection.unknownKey {
            return .unknownKey(kid: keyID)
        } catch {
            return .rejected(error)
        }
    }

    /// Tokens remembered now.
    public var cachedCount: Int { cache.count }
}

/// A compact JWS whose signature holds: what RFC 7515 §5.2 asks for, before anything is read as claims.
public struct VerifiedJWS: Sendable {
    public let payload: [UInt8]

    public init(_ token: Span<UInt8>, keys: KeySet, policy: TokenPolicy) throws(TokenRejection) {
        guard token.count <= policy.maximumBytes else { throw .tooLarge }
        let parsed = try CompactJWS(token)
        try parsed.judge(token, keys: keys, policy: policy)
        payload = parsed.payload
    }
}

extension CompactJWS {
    /// Header, key and signature, in that order: a token that names what we do not allow costs no signature check.
    fileprivate func judge(_ token: Span<UInt8>, keys: KeySet, policy: TokenPolicy) throws(TokenRejection) {
        let algorithm = try header.judged(by: policy)
        let candidates = try keys.candidates(keyID: header.keyID, algorithm: algorithm)
        let message = token.extracting(0..<signedByteCount)
        for candidate in candidates where candidate.isValid(signature.span, for: message, algorithm: algorithm) { return }
        throw .badSignature
    }
}
