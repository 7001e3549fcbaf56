/// Why a token was refused. The peer learns only "invalid" or "expired"; the name goes to logs and metrics.
public enum TokenRejection: Error, Equatable, Hashable, Sendable {
    /// The part of a compact JWS that could not be read.
    public enum Part: String, CaseIterable, Sendable {
        /// Not three parts separated by dots.
        case structure
        /// base64url, JSON, a duplicate member, or a header parameter of the wrong kind.
        case header, payload, signature
    }

    /// Longer than `TokenPolicy.maximumBytes`; nothing else was checked.
    case tooLarge
    case malformed(Part)
    /// Unknown, `none`, or not among `TokenPolicy.algorithms`.
    case algorithmNotAllowed
    /// RFC 7515 §4.1.11: this verifier understands no critical parameter.
    case criticalHeader
    /// RFC 7797 §7 forbids `b64` in a JWT.
    case unencodedPayload
    /// The `typ` is not among `TokenPolicy.types`.
    case wrongType
    /// The key set has no key of that `kid`, or, without a `kid`, none that fits the algorithm.
    case unknownKey
    /// The key of that `kid` cannot be used with the token's algorithm.
    case keyMismatch
    /// Several keys answer equally: the same `kid` twice, or too many candidates for a token without one.
    case ambiguousKey
    case badSignature
    case missingClaim(String)
    /// Present, but not of a kind or range that could be meant.
    case malformedClaim(String)
    case expired
    case notYetValid
    /// The `iat` lies ahead of this machine's clock by more than the leeway.
    case issuedInFuture
    /// Issued before the end of its login, or before a change of the user's rights.
    case revoked
    case wrongIssuer
    case wrongAudience

    /// Short and stable: a label for logs and metrics. Holds nothing that the peer wrote.
    public var name: String {
        switch self {
        case .tooLarge: "too_large"
        case .malformed(let part): "malformed_" + part.rawValue
        case .algorithmNotAllowed: "algorithm_not_allowed"
        case .criticalHeader: "critical_header"
        case .unencodedPayload: "unencoded_payload"
        case .wrongType: "wrong_type"
        case .unknownKey: "unknown_key"
        case .keyMismatch: "key_mismatch"
        case .ambiguousKey: "ambiguous_key"
        case .badSignature: "bad_signature"
        case .missingClaim: "missing_claim"
        case .malformedClaim: "malformed_claim"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .issuedInFuture: "issued_in_future"
        case .revoked: "revoked"
        case .wrongIssuer: "wrong_issuer"
        case .wrongAudience: "wrong_audience"
        }
    }
}
