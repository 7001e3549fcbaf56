/// Who a verified token speaks for, and what it grants.
public struct Principal: Equatable, Sendable {
    /// 1…255 UTF-8 bytes, no control characters.
    public var subject: String
    public var institution: String?
    public var roles: [String]
    /// Broadcast channels granted by name, without the `broadcast:` prefix.
    public var channels: [String]
    /// Seconds since 1970.
    public var issuedAt: Int64?
    /// Seconds since 1970; nil only where the policy allows tokens without `exp`.
    public var expiresAt: Int64?
    public var tokenID: String?

    public init(
        subject: String, institution: String? = nil, roles: [String] = [], channels: [String] = [], issuedAt: Int64? = nil,
        expiresAt: Int64? = nil, tokenID: String? = nil
    ) {
        self.subject = subject
        self.institution = institution
        self.roles = roles
        self.channels = channels
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.tokenID = tokenID
    }
}
