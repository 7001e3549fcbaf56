import Bytes
internal import JSON

/// The user and the rights of a verified token, in the terms of the domain.
public struct Identity: Equatable, Sendable {
    public let user: UserID
    public let institution: String?
    public let roles: [String]
    /// The broadcast channels that the token grants, without the `broadcast:` prefix.
    public let channels: [String]
    public let expiresAt: Timestamp
    /// The login at the identity provider; nil: not known.
    public let login: LoginMark?
    /// When the proof was issued; nil: not known.
    public let issuedAt: Timestamp?

    public init(
        user: UserID, institution: String?, roles: [String], channels: [String], expiresAt: Timestamp, login: LoginMark? = nil,
        issuedAt: Timestamp? = nil
    ) {
        self.user = user
        self.institution = institution
        self.roles = roles
        self.channels = channels
        self.expiresAt = expiresAt
        self.login = login
        self.issuedAt = issuedAt
    }

    /// The broadcast channels that the user may follow without a row in the member table, at most `limit`.
    public func broadcasts(limit: Int) -> [String] {
        var names: [String] = []
        func add(_ name: String) {
            guard names.count < limit, Channel.isBroadcastName(name.utf8.span) else { return }
            for known in names where known.isSameText(as: name) { return }
            names.append(name)
        }
        add("system")
        if let institution { add("institution:" + institution) }
        for role in roles { add("category:" + role) }
        for channel in channels where isEntitled(toBroadcast: channel) { add(channel) }
        return names
    }

    public func grantsMoreBroadcasts(than limit: Int) -> Bool {
        // Beside the roles and channels there are `system` and the institution.
        roles.count + channels.count + 2 > limit && broadcasts(limit: limit + 1).count > limit
    }

    /// Whether the token alone grants `channel`. For conversations and other broadcasts the member table decides.
    public func isEntitled(to channel: Channel) -> Bool {
        switch channel {
        case .inbox(let owner): owner == user
        case .conversation: false
        case .broadcast(let name): isEntitled(toBroadcast: name)
        }
    }

    private func isEntitled(toBroadcast name: String) -> Bool {
        if name == "system" { return true }
        if name.begins(with: "institution:") { return institution.map { name.utf8.span.isJoined("institution:", $0) } ?? false }
        if name.begins(with: "category:") { return roles.contains { name.utf8.span.isJoined("category:", $0) } }
        return channels.contains { $0.isSameText(as: name) }
    }
}

/// What a command shows to prove who the user is.
public enum IdentityProof: Equatable, Sendable {
    case token(String)
    /// A one-time ticket.
    case ticket(String)
}

/// Stands for a login's name, in a few bytes of each session.
///
/// Two names have the same mark once in 2^64: then the end of one login would end the other, whose user signs in again.
public struct LoginMark: Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ name: String) {
        var hash = FNV1a()
        for byte in name.utf8 { hash.combine(byte) }
        rawValue = hash.value
    }
}

// As the store keeps it in a ticket.
extension Identity {
    public var text: String {
        var object = JSONObject()
        object["user"] = .string(user.name)
        object["institution"] = institution.map { .string($0) }
        object["roles"] = .array(roles.map { .string($0) })
        object["channels"] = .array(channels.map { .string($0) })
        object["expires_at"] = .number(JSONNumber(expiresAt.milliseconds))
        object["login"] = login.map { .string(String($0.rawValue)) }
        object["issued_at"] = issuedAt.map { .number(JSONNumber($0.milliseconds)) }
        return JSONValue.object(object).text
    }

    /// Nil when the text is not what `text` writes.
    public init?(text: String) {
        guard let value = try? JSONValue.parse(Array(text.utf8)), let user = value["user"]?.string.flatMap({ UserID($0) }),
            let expiry = value["expires_at"]?.int64
        else { return nil }
        func names(_ member: String) -> [String] { (value[member]?.array ?? []).compactMap(\.string) }
        self.init(
            user: user, institution: value["institution"]?.string, roles: names("roles"), channels: names("channels"),
            expiresAt: Timestamp(milliseconds: expiry),
            login: value["login"]?.string.flatMap { UInt64($0) }.map { LoginMark(rawValue: $0) },
            issuedAt: value["issued_at"]?.int64.map { Timestamp(milliseconds: $0) })
    }
}
