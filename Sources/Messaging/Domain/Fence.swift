/// The end of what was granted to a user, or to one login of a user: sessions end, and no proof that was issued before opens another one.
public struct Fence: Equatable, Sendable {
    public enum Reason: String, CaseIterable, Sendable {
        /// The login has ended, or the account.
        case revoked
        /// The user's rights have changed. A new token has the new ones.
        case privileges
    }

    /// Nil: whoever has the login.
    public let user: UserID?
    /// Nil: all logins of the user.
    public let login: LoginMark?
    public let reason: Reason
    /// Proofs that were issued up to this moment, by the clock of their issuer, count no more.
    public let issuedUpTo: Timestamp
    /// From then on the fence is forgotten. A proof that is valid for longer would count again.
    public let expiresAt: Timestamp

    /// How long a fence stays: longer than sessions and tickets of older tokens, and than the tokens that identity providers give.
    public static func life(sessionLife: Duration) -> Duration { max(sessionLife, .seconds(7 * 86_400)) + .seconds(600) }

    /// Nil: it names neither a user nor a login.
    public init?(user: UserID?, login: LoginMark?, reason: Reason, issuedUpTo: Timestamp, expiresAt: Timestamp) {
        guard user != nil || login != nil else { return nil }
        self.user = user
        self.login = login
        self.reason = reason
        self.issuedUpTo = issuedUpTo
        self.expiresAt = expiresAt
    }

    /// As far as the one that reaches further, and as long as the one that stays longer.
    fileprivate func merged(with other: Fence) -> Fence? {
        Fence(
            user: user, login: login, reason: reason, issuedUpTo: max(issuedUpTo, other.issuedUpTo),
            expiresAt: max(expiresAt, other.expiresAt))
    }

    /// Proofs carry whole seconds, so those of the fence's second are refused, too. Of one without a time nobody knows that it is newer.
    public func holdsBack(_ identity: Identity) -> Bool {
        if let user, identity.user != user { return false }
        if let login, identity.login != login { return false }
        guard let issued = identity.issuedAt else { return true }
        return issued.milliseconds / 1_000 <= issuedUpTo.milliseconds / 1_000
    }
}

/// A fence as it is put up, with what an auditor wants to know.
public struct FenceNotice: Equatable, Sendable {
    public let fence: Fence
    /// Recognizes a notice that comes again.
    public let key: String
    /// Where it came from: `logout`, `security-event`, `operator`.
    public let source: String

    public init(_ fence: Fence, key: String, source: String) {
        self.fence = fence
        self.key = key
        self.source = source
    }
}

/// The fences in force. A value of one loop; all loops hear of all fences.
public struct Fences: Sendable {
    private struct Name: Hashable {
        let user: UserID?
        let login: LoginMark?
    }

    private var fences: [Name: [Fence]] = [:]
    public private(set) var count = 0
    private var countAfterPruning = 0

    public init() {}

    /// - Returns: false when it holds nothing back that was not held back before.
    public mutating func note(_ fence: Fence, now: Timestamp) -> Bool {
        guard fence.expiresAt > now else { return false }
        let name = Name(user: fence.user, login: fence.login)
        // There are as many beside each other as there are reasons.
        let known = fences[name] ?? []
        let same = known.first { $0.reason == fence.reason }
        // A notice that comes late must not lower what a newer one has put up.
        guard let merged = same.map({ $0.merged(with: fence) }) ?? fence else { return false }
        fences[name] = known.filter { $0.reason != fence.reason } + [merged]
        if known.isEmpty { count += 1 }
        if count > 2 * countAfterPruning + 64 { prune(now) }
        return same.map { merged.issuedUpTo > $0.issuedUpTo } ?? true
    }

    /// The fence that the identity does not pass; the strictest of several.
    public func holdingBack(_ identity: Identity, now: Timestamp) -> Fence? {
        if fences.isEmpty { return nil }
        var names = [Name(user: identity.user, login: nil)]
        if let login = identity.login { names += [Name(user: nil, login: login), Name(user: identity.user, login: login)] }
        var found: Fence?
        for name in names {
            for fence in fences[name] ?? [] where fence.expiresAt > now && fence.holdsBack(identity) {
                if found == nil || fence.reason == .revoked { found = fence }
            }
        }
        return found
    }

    private mutating func prune(_ now: Timestamp) {
        fences = fences.compactMapValues { list in
            let left = list.filter { $0.expiresAt > now }
            return left.isEmpty ? nil : left
        }
        count = fences.count
        countAfterPruning = count
    }
}
