/// Who a verified token speaks for, and what it grants.
public struct Principal: Equatable, Sendable {
    /// 1…255 UTF-8 bytes, no control characters.
    public var subject: String
    public var institution: String?
    public var roles: [String]
    /// Broadcast channels granted by name, without the `broadcast:` prefix.
    public var channels: [String]
    /// The login at the identity provider (`sid`), which may end on its own.
    public var login: String?
    /// Seconds since 1970.
    public var issuedAt: Int64?
    /// Seconds since 1970; `latestExpiry` for a token without `exp`, where the policy allows one.
    public var expiresAt: Int64
    /// Written into tokens that are signed here. Of a verified token it is judged and dropped: nobody asks for it, and it would be
    /// a third of what a remembered token costs.
    public var tokenID: String?

    /// 9999-12-31T23:59:59Z, the last moment RFC 3339 can write.
    public static let latestExpiry: Int64 = 253_402_300_799

    public init(
        subject: String, institution: String? = nil, roles: [String] = [], channels: [String] = [], login: String? = nil,
        issuedAt: Int64? = nil,
        expiresAt: Int64 = latestExpiry, tokenID: String? = nil
    ) {
        self.subject = subject
        self.institution = institution
        self.roles = roles
        self.channels = channels
        self.login = login
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.tokenID = tokenID
    }
}
