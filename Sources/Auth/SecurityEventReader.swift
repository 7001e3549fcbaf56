import Bytes
internal import JSON

/// What an identity provider tells about a user or a login, in a signed token: a login has ended, or the user's rights have changed.
public struct SecurityEvent: Equatable, Sendable {
    public enum Effect: Equatable, Sendable {
        case revoked
        case rightsChanged
        /// The event is valid and has no meaning for a hub.
        case none
    }

    public var effect: Effect
    /// The user; nil when only the login is named.
    public var subject: String?
    /// The login (`sid`) alone is concerned; nil: all logins of the user.
    public var login: String?
    /// Seconds since 1970, by the provider's clock.
    public var issuedAt: Int64
    /// Tells a token that comes again (`iss` and `jti`).
    public var id: String
}

/// Reads and judges the two kinds of tokens: logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4), and security event tokens (RFC 8417)
/// as a transmitter of shared signals pushes them (RFC 8935).
public struct SecurityEventReader: Sendable {
    /// Older tokens without `exp` are refused: somebody may have kept them.
    static let longestAge: Int64 = 600

    private let policy: TokenPolicy

    public init(_ policy: TokenPolicy) { self.policy = policy }

    /// - Parameter now: seconds since 1970.
    public func logout(_ token: Span<UInt8>, keys: KeySet, now: Int64) throws(TokenRejection) -> SecurityEvent {
        let claims = try claims(of: token, types: ["logout+jwt", "JWT"], acceptsAbsentType: true, keys, now)
        guard let events = claims.members["events"]?.object,
            events["http://schemas.openid.net/event/backchannel-logout"]?.object != nil
        else { throw .missingClaim("events") }
        // §2.4: so that nobody takes an ID token for a logout token.
        guard claims.members["nonce"] == nil else { throw .malformedClaim("nonce") }
        let subject = try user(of: claims)
        let login = try claims.text("sid")
        guard subject != nil || login != nil else { throw .missingClaim("sub") }
        return try event(.revoked, subject: subject, login: login, claims)
    }

    /// - Parameter now: seconds since 1970.
    public func securityEvent(_ token: Span<UInt8>, keys: KeySet, now: Int64) throws(TokenRejection) -> SecurityEvent {
        let claims = try claims(of: token, types: ["secevent+jwt"], acceptsAbsentType: false, keys, now)
        guard let events = claims.members["events"]?.object, !events.isEmpty else { throw .missingClaim("events") }
        var effect = SecurityEvent.Effect.none
        var subject: JSONValue? = claims.members["sub_id"]
        for event in events.members {
            let found = Self.effects[event.name] ?? .none
            if found == .revoked || effect == .none { effect = found }
            if found != .none, let own = event.value["subject"] { subject = own }
        }
        if effect == .none { return try event(.none, subject: nil, login: nil, claims) }
        var user = try user(of: claims)
        var login: String?
        if let subject {
            // RFC 9493 §3.2.8 (complex subjects as CAEP has them): a session of a user.
            if policy.claims.subject.name == "sub", let named = try Self.name(of: subject["user"] ?? subject, ["sub", "id"]) {
                user = named
            }
            if let session = subject["session"] { login = try Self.name(of: session, ["sid", "id"]) }
        }
        guard user != nil || login != nil else { throw .missingClaim("sub_id") }
        return try event(effect, subject: user, login: login, claims)
    }

    /// The claim that names users to the hub. Another `sub` would name nobody here, and the notice would seem to have had its effect.
    private func user(of claims: Claims) throws(TokenRejection) -> String? { try claims.text(policy.claims.subject) }

    private static let effects: [String: SecurityEvent.Effect] = {
        let (caep, risc) = ("https://schemas.openid.net/secevent/caep/event-type/", "https://schemas.openid.net/secevent/risc/event-type/")
        return [
            caep + "session-revoked": .revoked, caep + "token-claims-change": .rightsChanged,
            risc + "account-disabled": .revoked, risc + "account-purged": .revoked, risc + "sessions-revoked": .revoked,
            risc + "credential-compromise": .revoked,
        ]
    }()

    /// RFC 9493 §3.2: `iss_sub` and `opaque`.
    private static func name(of subject: JSONValue, _ members: [String]) throws(TokenRejection) -> String? {
        for member in members {
            guard let value = subject[member] else { continue }
            guard let text = value.string, Claims.isName(text) else { throw .malformedClaim("sub_id") }
            return text
        }
        return nil
    }

    private func claims(
        of token: Span<UInt8>, types: [String], acceptsAbsentType: Bool, _ keys: KeySet, _ now: Int64
    ) throws(TokenRejection) -> Claims {
        var policy = policy
        policy.types = types
        policy.acceptsAbsentType = acceptsAbsentType
        let claims = Claims(
            members: try JSONObject(strictly: VerifiedJWS(token, keys: keys, policy: policy).payload, .payload, limits: Claims.limits))
        let moments = try claims.moments(requiresExpiry: false, leeway: policy.leewaySeconds, now: now)
        guard let issuedAt = moments.issued else { throw .missingClaim("iat") }
        if moments.expiry == nil, now - issuedAt > Self.longestAge + policy.leewaySeconds { throw .expired }
        try claims.judgeIssuer(policy.issuer)
        try claims.judgeAudience(policy.audiences)
        return claims
    }

    private func event(
        _ effect: SecurityEvent.Effect, subject: String?, login: String?, _ claims: Claims
    ) throws(TokenRejection) -> SecurityEvent {
        guard let id = try claims.text("jti") else { throw .missingClaim("jti") }
        let issuer = claims.members["iss"]?.string ?? ""
        return SecurityEvent(
            effect: effect, subject: subject, login: login, issuedAt: try claims.time("iat", rounding: .up) ?? 0, id: issuer + " " + id)
    }
}
