/// What a user shows of being there.
public enum Presence: UInt8, Equatable, Sendable, CaseIterable {
    case online
    /// Connected, but not at the keyboard.
    case away
    /// The last session that shared has ended.
    case gone
    /// The user does not share any more: nothing is remembered.
    case hidden

    public var isHere: Bool { self == .online || self == .away }
}

/// What one event loop of one hub says of the users with sessions on it. Any part may be lost, repeated or come late.
public struct PresenceNews: Equatable, Sendable {
    public struct Line: Equatable, Sendable {
        public var user: UserID
        public var presence: Presence
        public init(_ user: UserID, _ presence: Presence) {
            self.user = user
            self.presence = presence
        }
    }

    /// All users between two names: the first one is among them, the second one is not.
    public struct Range: Equatable, Sendable {
        /// nil: from the first.
        public var lower: UserID?
        /// nil: to the last.
        public var upper: UserID?
        public init(lower: UserID?, upper: UserID?) {
            self.lower = lower
            self.upper = upper
        }

        public func contains(_ user: UserID) -> Bool {
            if let lower, user < lower { return false }
            if let upper, user >= upper { return false }
            return true
        }
    }

    /// Names the loop; made anew when its process starts.
    public var source: UInt64
    /// Grows with each of the loop's news.
    public var version: UInt64
    /// Of a digest: who is not listed in this range is not there. nil: only what has changed.
    public var range: Range?
    public var lines: [Line]
    /// A digest of nobody at all: the loop has no users any more, or its hub is being stopped.
    var isGoodbye: Bool { range == Range(lower: nil, upper: nil) && lines.isEmpty }

    public init(source: UInt64, version: UInt64, range: Range? = nil, lines: [Line]) {
        self.source = source
        self.version = version
        self.range = range
        self.lines = lines
    }
}

/// What a client is told of a user.
public enum ShownPresence: Equatable, Sendable {
    case online
    case away
    /// To the minute; nil when it is not known, or not shown.
    case offline(lastSeen: Timestamp?)

    var name: String {
        switch self {
        case .online: "online"
        case .away: "away"
        case .offline: "offline"
        }
    }
}

/// Who is there, as all loops of all hubs say.
///
/// A user is there as long as one source says so. A source that is silent for `silence` has ended, and its users are gone with it; each source
/// says something at least every `round`. The users of a source that says goodbye have the time `grace` to appear at another one.
public struct PresenceBook: Sendable {
    public static let round: Int64 = 10_000
    /// Two of its digests were lost.
    public static let silence: Int64 = 25_000
    /// A user who loads a page anew, or whose hub is stopped, comes back within this time and is not gone meanwhile.
    public static let grace: Int64 = 5_000
    /// Users whose last time is remembered.
    public static let mostRemembered = 20_000

    private struct Held {
        var presence: Presence
        var version: UInt64
    }

    private struct Source {
        var heardAt: Int64
        var version: UInt64 = 0
        /// The source has said goodbye.
        var leftAt: Int64?
        var users: [UserID: Held] = [:]

        func hasEnded(at now: Int64) -> Bool {
            now - heardAt > PresenceBook.silence || leftAt.map { now - $0 > PresenceBook.grace } ?? false
        }
    }

    private var sources: [UInt64: Source] = [:]
    private var sourcesOf: [UserID: [UInt64]] = [:]
    private var lastSeen: [UserID: Int64] = [:]

    public init() {}

    public var isEmpty: Bool { sources.isEmpty && lastSeen.isEmpty }
    public var count: Int { sourcesOf.count }

    /// - Parameter now: milliseconds.
    /// - Returns: the users of whom something may have changed.
    public mutating func hear(_ news: PresenceNews, now: Int64) -> Set<UserID> {
        var changed: Set<UserID> = []
        let isNewest = sources[news.source].map { $0.version < news.version } ?? true
        sources[news.source, default: Source(heardAt: now)].heardAt = now
        if isNewest {
            sources[news.source]?.version = news.version
            if news.isGoodbye {
                sources[news.source]?.leftAt = now
            } else if news.lines.contains(where: \.presence.isHere) {
                sources[news.source]?.leftAt = nil
            }
        }
        for line in news.lines {
            let held = sources[news.source]?.users[line.user]
            guard held.map({ $0.version < news.version }) ?? true else { continue }
            if line.presence.isHere {
                sources[news.source]?.users[line.user] = Held(presence: line.presence, version: news.version)
                if held == nil { sourcesOf[line.user, default: []].append(news.source) }
                if held?.presence != line.presence { changed.insert(line.user) }
            } else {
                remove(line.user, from: news.source, seen: line.presence == .gone ? now : nil, &changed)
                if line.presence == .hidden, sourcesOf[line.user] == nil, lastSeen.removeValue(forKey: line.user) != nil {
                    changed.insert(line.user)
                }
            }
        }
        if let range = news.range, !news.isGoodbye, let users = sources[news.source]?.users {
            let listed = Set(news.lines.map(\.user))
            for (user, held) in users where held.version < news.version && range.contains(user) && !listed.contains(user) {
                remove(user, from: news.source, seen: now, &changed)
            }
        }
        return changed
    }

    /// Forgets the sources that have ended.
    public mutating func dropSilent(now: Int64) -> Set<UserID> {
        var changed: Set<UserID> = []
        for (id, source) in sources where source.hasEnded(at: now) {
            for user in source.users.keys { remove(user, from: id, seen: source.leftAt ?? source.heardAt, &changed) }
            sources[id] = nil
        }
        return changed
    }

    public func shown(_ user: UserID) -> ShownPresence {
        guard let here = sourcesOf[user] else { return .offline(lastSeen: lastSeen[user].map { Timestamp(milliseconds: $0) }) }
        return here.contains { sources[$0]?.users[user]?.presence == .online } ? .online : .away
    }

    /// - Parameter seen: when the user was last there; nil: the user does not share that.
    private mutating func remove(_ user: UserID, from source: UInt64, seen: Int64?, _ changed: inout Set<UserID>) {
        guard sources[source]?.users.removeValue(forKey: user) != nil else { return }
        changed.insert(user)
        sourcesOf[user]?.removeAll { $0 == source }
        guard sourcesOf[user]?.isEmpty == true else { return }
        sourcesOf[user] = nil
        lastSeen[user] = seen.map { $0 - $0 % 60_000 }
        guard lastSeen.count > Self.mostRemembered else { return }
        let middle = lastSeen.values.sorted()[Self.mostRemembered / 2]
        lastSeen = lastSeen.filter { $0.value > middle }
    }
}
