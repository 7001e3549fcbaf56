import Messaging
package import Pacing

/// How often a user may do something, over all sessions of the user on one loop. `Pace.unbounded` switches a bound off.
package struct PaceLimits: Equatable, Sendable {
    /// Commands; those that cost the hub more count as several (`ClientCommand.Body.cost`).
    package var commands = Pace(perSecond: 1_000, seconds: 10)
    package var sends = Pace(perSecond: 50, seconds: 10)
    /// Messages of one user in one conversation.
    package var sendsOfPair = Pace(perSecond: 20, seconds: 10)
    package var newConversations = Pace(perSecond: 5, seconds: 60)
    /// Typing signals that are passed on.
    package var typing = Pace(perSecond: 10, seconds: 10)
    package var historyBytes = Pace(perSecond: 4 << 20, seconds: 10)
    package var refreshFailures = Pace(perSecond: 1, seconds: 60)
    /// Commands answered with `rate_limited`; the next one ends the session (4102).
    package var refusals = Pace(perSecond: 20, seconds: 50)

    package init() {}
}

extension Pace {
    /// - Parameter seconds: in so many seconds an empty bucket is full.
    package init(perSecond: Int, seconds: Int) { self.init(perSecond: perSecond, burst: perSecond * seconds) }

    /// Another rate, with as many seconds of burst; 0: no bound.
    package func at(perSecond rate: Int) -> Pace { Pace(perSecond: rate, seconds: isBounded ? burst / perSecond : 10) }
}

/// The buckets of the users who were active lately. Times are nanoseconds of the loop's clock.
///
/// A user's buckets outlive the sessions, so that a new session does not begin with full ones.
struct UserPaces {
    /// What is bounded for each user. The name is a label in the metrics.
    enum Kind: Int, CaseIterable {
        case commands, sends, conversations, typing, history, refreshes
        /// Commands answered with `rate_limited`.
        case refusals
    }

    private struct Buckets {
        private var buckets = InlineArray<7, TokenBucket>(repeating: TokenBucket())

        subscript(kind: Kind) -> TokenBucket {
            get { buckets[kind.rawValue] }
            set { buckets[kind.rawValue] = newValue }
        }
    }

    private struct Pair: Hashable {
        let user: UserID
        let channel: Channel
    }

    /// In this time, twice the longest burst, every bucket is full again, and can be forgotten.
    static let period: Duration = .seconds(120)

    let limits: PaceLimits
    private var users = RecentTable<UserID, Buckets>()
    private var pairs = RecentTable<Pair, TokenBucket>()

    init(_ limits: PaceLimits) { self.limits = limits }

    var isEmpty: Bool { users.isEmpty && pairs.isEmpty }
    var activeUsers: Int { users.count }

    mutating func beginPeriod() {
        users.beginPeriod()
        pairs.beginPeriod()
    }

    /// Takes the tokens, or returns the time until there are so many.
    mutating func take(_ tokens: Int = 1, _ kind: Kind, of user: UserID, at now: Int64) -> Duration? {
        let pace = pace(kind)
        guard pace.isBounded else { return nil }
        return users.change(user, orNew: Buckets()) { $0[kind].take(tokens, pace, at: now) }
    }

    /// The time until there are so many tokens; nil: they are there.
    func wait(_ tokens: Int = 1, _ kind: Kind, of user: UserID, at now: Int64) -> Duration? {
        users[user]?[kind].wait(tokens, pace(kind), at: now)
    }

    /// Takes tokens that may not be there.
    mutating func charge(_ tokens: Int, _ kind: Kind, to user: UserID, at now: Int64) {
        let pace = pace(kind)
        guard pace.isBounded else { return }
        users.change(user, orNew: Buckets()) { $0[kind].charge(tokens, pace, at: now) }
    }

    mutating func giveBack(_ kind: Kind, to user: UserID) {
        let pace = pace(kind)
        guard pace.isBounded, users[user] != nil else { return }
        users.change(user, orNew: Buckets()) { $0[kind].giveBack(1, pace) }
    }

    /// Takes the token for a message of a user in one conversation.
    mutating func takeSend(of user: UserID, in channel: Channel, at now: Int64) -> Duration? {
        guard limits.sendsOfPair.isBounded else { return nil }
        return pairs.change(Pair(user: user, channel: channel), orNew: TokenBucket()) { $0.take(1, limits.sendsOfPair, at: now) }
    }

    private func pace(_ kind: Kind) -> Pace {
        switch kind {
        case .commands: limits.commands
        case .sends: limits.sends
        case .conversations: limits.newConversations
        case .typing: limits.typing
        case .history: limits.historyBytes
        case .refreshes: limits.refreshFailures
        case .refusals: limits.refusals
        }
    }
}
