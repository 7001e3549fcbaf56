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
    private var headers = JudgedHeaders()
    private var register = KeyRegister()

    /// - Parameter cacheCapacity: verified tokens remembered, about 300 bytes each; a busy browser reconnects with the same one.
    public init(policy: TokenPolicy, keys: KeySet, cacheCapacity: Int = 4_096) {
        self.policy = policy
        self.keys = keys
        cache = VerifiedTokens(capacity: cacheCapacity)
    }

    /// Uses these keys from now on. What was verified with others is forgotten, for a key may have been withdrawn.
    /// - Returns: the keys that have verified tokens and would do so no more. Their numbers mean nothing from now on.
    @discardableResult
    public func replace(keys: KeySet) -> [KeyNumber] {
        guard keys != self.keys else { return [] }
        forget(for: keys)
        return register.withdraw(allBut: keys)
    }

    /// Accepts no token until `replace`. No key is withdrawn by that.
    public func suspend() { forget(for: .empty) }

    private func forget(for keys: KeySet) {
        self.keys = keys
        cache.removeAll()
        headers.removeAll()
    }

    /// - Parameter now: seconds since 1970.
    public func verify(_ token: String, now: Int64) -> Verdict {
        verify(token.utf8.span, now: now)
    }

    public func verify(_ token: Span<UInt8>, now: Int64) -> Verdict { judge(token, now: now).verdict }

    /// As `verify`, with the key that has verified an accepted token.
    public func judge(_ token: Span<UInt8>, now: Int64) -> (verdict: Verdict, key: KeyNumber) {
        guard token.count <= policy.maximumBytes else { return (.rejected(.tooLarge), .none) }
        let digest = TokenDigest(token)
        if let (principal, key) = cache.principal(for: digest, now: now) { return (.accepted(principal), key) }
        var keyID: String?
        do {
            let parsed = try CompactJWS(token)
            let known = headers.header(parsed.header)
            let judged: JudgedHeader
            if let known {
                judged = known
            } else {
                let header = try JOSEHeader(parsed.header)
                keyID = header.keyID
                judged = try JudgedHeader(parsed.header, header, keys: keys, policy: policy)
            }
            let key = try judged.check(parsed, in: token)
            let (principal, validFrom) = try Claims(parsed.payload).principal(under: policy, now: now)
            if known == nil { headers.insert(judged) }
            let number = register.number(of: key, by: judged.algorithm)
            return (.accepted(cache.insert(principal, by: number, for: digest, validFrom: validFrom)), number)
        } catch TokenRejection.unknownKey {
            return (.unknownKey(kid: keyID), .none)
        } catch {
            return (.rejected(error), .none)
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
        try JudgedHeader(parsed.header, try JOSEHeader(parsed.header), keys: keys, policy: policy).check(parsed, in: token)
        payload = parsed.payload
    }
}
