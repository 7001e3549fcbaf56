/// Who a verified token says its bearer is, in the words of the domain.
public struct Identity: Equatable, Sendable {
    public let user: UserID
    public let institution: String?
    public let roles: [String]
    /// Broadcast channels the token itself grants, without the `broadcast:` prefix.
    public let channels: [String]
    public let expiresAt: Timestamp

    public init(user: UserID, institution: String?, roles: [String], channels: [String], expiresAt: Timestamp) {
        self.user = user
        self.institution = institution
        self.roles = roles
        self.channels = channels
        self.expiresAt = expiresAt
    }

    /// The broadcast channels this person hears without a row in the member table, at most `limit`.
    public func broadcasts(limit: Int) -> [String] {
        var names = ["system"]
        if let institution { names.append("institution:" + institution) }
        names += roles.map { "category:" + $0 }
        names += channels
        var seen = Set<Channel>()
        return Array(
            names.filter {
                guard let channel = Channel(storedName: "broadcast:" + $0) else { return false }
                return isEntitled(to: channel) && seen.insert(channel).inserted
            }.prefix(limit))
    }

    /// Whether the token alone entitles to hear `channel`. Conversations and other broadcasts are the member table's to say.
    public func isEntitled(to channel: Channel) -> Bool {
        switch channel {
        case .inbox(let owner): return owner == user
        case .conversation: return false
        case .broadcast(let name):
            if name == "system" { return true }
            if name.begins(with: "institution:") { return institution.map { channel == .broadcast("institution:" + $0) } ?? false }
            if name.begins(with: "category:") { return roles.contains { channel == .broadcast("category:" + $0) } }
            return channels.contains { channel == .broadcast($0) }
        }
    }
}
