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

    public init(user: UserID, institution: String?, roles: [String], channels: [String], expiresAt: Timestamp) {
        self.user = user
        self.institution = institution
        self.roles = roles
        self.channels = channels
        self.expiresAt = expiresAt
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
