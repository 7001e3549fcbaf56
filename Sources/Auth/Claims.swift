import Bytes
internal import JSON

/// The claims of one payload, read by the rules of RFC 7519 §4.1.
struct Claims {
    let members: JSONObject

    /// Deep enough for any issuer's nesting; a bound on values, because a short text can hold thousands.
    static let limits = JSONLimits(maximumDepth: 16, maximumValues: 2_000, refusesNUL: true)

    init(_ payload: [UInt8]) throws(TokenRejection) { self.init(members: try JSONObject(strictly: payload, .payload, limits: Self.limits)) }

    init(members: JSONObject) { self.members = members }

    /// Seconds since 1970.
    struct Moments {
        let expiry: Int64?
        let notBefore: Int64?
        let issued: Int64?
    }

    /// The moments of a token, judged where they are present.
    func moments(requiresExpiry: Bool, leeway: Int64, now: Int64) throws(TokenRejection) -> Moments {
        let moments = Moments(
            expiry: try time("exp", rounding: .down), notBefore: try time("nbf", rounding: .up), issued: try time("iat", rounding: .up))
        if let expiry = moments.expiry {
            // RFC 7519 §4.1.4: "on or after" is too late.
            guard now < expiry + leeway else { throw .expired }
        } else if requiresExpiry {
            throw .missingClaim("exp")
        }
        if let notBefore = moments.notBefore, now < notBefore - leeway { throw .notYetValid }
        if let issued = moments.issued, now < issued - leeway { throw .issuedInFuture }
        return moments
    }

    /// The moments and parties that must fit, then what is left: the principal, and the first moment at which the token counts, leeway
    /// included, which is cached with it because clocks are set back. Times are in seconds since 1970.
    func principal(under policy: TokenPolicy, now: Int64) throws(TokenRejection) -> (Principal, validFrom: Int64) {
        let leeway = policy.leewaySeconds
        let moments = try moments(requiresExpiry: policy.requiresExpiry, leeway: leeway, now: now)
        try judgeIssuer(policy.issuer)
        try judgeAudience(policy.audiences)

        var roles: [String] = []
        for path in policy.claims.roles { roles += try names(path) }
        guard let subject = try text(policy.claims.subject) else { throw .missingClaim(policy.claims.subject.name) }
        _ = try text("jti")
        // Only back-channel logout needs it (OpenID Connect Front-Channel Logout 1.0 §3): a token with another form of it is as good as one without.
        let login = members["sid"]?.string.flatMap { Self.isName($0) ? $0 : nil }
        let principal = Principal(
            subject: subject, institution: try text(policy.claims.institution), roles: roles,
            channels: try names(policy.claims.channels), login: login, issuedAt: moments.issued,
            expiresAt: moments.expiry ?? Principal.latestExpiry)
        let start = max(moments.notBefore ?? .min, moments.issued ?? .min)
        return (principal, start == .min ? .min : start - leeway)
    }

    func judgeIssuer(_ expected: String?) throws(TokenRejection) {
        guard let expected else { return }
        guard let issuer = members["iss"] else { throw .missingClaim("iss") }
        guard let issuer = issuer.string else { throw .malformedClaim("iss") }
        guard issuer.isSameText(as: expected) else { throw .wrongIssuer }
    }

    func judgeAudience(_ expected: [String]) throws(TokenRejection) {
        guard !expected.isEmpty else { return }
        guard let audience = members["aud"] else { throw .missingClaim("aud") }
        let named: [String]
        if let one = audience.string {
            named = [one]
        } else if let many = audience.array?.map(\.string), !many.contains(nil) {
            named = many.compactMap(\.self)
        } else {
            throw .malformedClaim("aud")
        }
        guard named.contains(where: { name in expected.contains { $0.isSameText(as: name) } }) else {
            throw .wrongAudience
        }
    }

    enum Rounding { case down, up }

    /// A NumericDate (RFC 7519 §2), in whole seconds on the side that gives the token less time.
    func time(_ name: String, rounding: Rounding) throws(TokenRejection) -> Int64? {
        guard let value = members[name] else { return nil }
        // Before 1970 no tokens were issued, and RFC 3339 cannot write years after 9999.
        let range = 0...Principal.latestExpiry
        if let whole = value.int64 {
            guard range.contains(whole) else { throw .malformedClaim(name) }
            return whole
        }
        guard let fraction = value.double, (0...Double(range.upperBound)).contains(fraction) else { throw .malformedClaim(name) }
        let whole = Int64(fraction)
        return rounding == .up && Double(whole) < fraction ? whole + 1 : whole
    }

    /// A string that can name something: 1…255 bytes without control characters.
    func text(_ path: ClaimPath) throws(TokenRejection) -> String? {
        guard let value = path.value(in: members), value.kind != .null else { return nil }
        guard let text = value.string, Self.isName(text) else { throw .malformedClaim(path.name) }
        return text
    }

    private func names(_ path: ClaimPath) throws(TokenRejection) -> [String] {
        guard let value = path.value(in: members), value.kind != .null else { return [] }
        let listed: [String]
        if let joined = value.string {
            // RFC 6749 §3.3, as `scope` is written.
            listed = joined.split(separator: " ").map(String.init)
        } else if let list = value.array {
            listed = list.compactMap(\.string)
            guard listed.count == list.count else { throw .malformedClaim(path.name) }
        } else {
            throw .malformedClaim(path.name)
        }
        guard listed.allSatisfy(Self.isName) else { throw .malformedClaim(path.name) }
        return listed
    }

    static func isName(_ text: String) -> Bool {
        // C0, DEL and C1 controls break logs; the bound keeps a name inside one column and one frame.
        let bytes = text.utf8.span
        guard (1...255).contains(bytes.count) else { return false }
        var previous: UInt8 = 0
        for index in bytes.indices {
            let byte = bytes[index]
            // U+0080…U+009F are C2 80…C2 9F; C2 is never anything but a first byte.
            if byte < 0x20 || byte == 0x7F || previous == 0xC2 && byte < 0xA0 { return false }
            previous = byte
        }
        return true
    }
}

extension JSONObject {
    /// The reason why it is not an object is dropped: the peer gets "malformed", and a log must not quote a token.
    init(strictly bytes: [UInt8], _ part: TokenRejection.Part, limits: JSONLimits) throws(TokenRejection) {
        do {
            guard case .object(let members) = try JSONValue.parse(bytes, limits: limits) else { throw TokenRejection.malformed(part) }
            self = members
        } catch {
            throw .malformed(part)
        }
    }
}
