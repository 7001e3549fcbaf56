import Auth
import Linux
import Messaging

/// Tokens whose signing key is being asked for, in the order they came: all wait equally long, so the first is due first.
struct WaitingTokens {
    struct Token {
        let session: SessionID
        let origin: CommandOrigin
        let token: String
        let use: Authentication.Use
        /// When it came.
        let since: MonotonicInstant
        /// Until then it waits.
        let deadline: MonotonicInstant
    }

    /// Of one loop. Anybody can send tokens with invented keys; a token beyond this number is refused as `unavailable`.
    static let most = 4_096

    private var tokens: [Token] = []

    var count: Int { tokens.count }

    /// When the next one has waited long enough.
    var nextDeadline: MonotonicInstant? { tokens.first?.deadline }

    /// False: there is no room.
    mutating func append(_ token: Token) -> Bool {
        guard tokens.count < Self.most else { return false }
        tokens.append(token)
        return true
    }

    mutating func take(where isTaken: (Token) -> Bool) -> [Token] {
        var taken: [Token] = []
        tokens.removeAll {
            guard isTaken($0) else { return false }
            taken.append($0)
            return true
        }
        return taken
    }

    mutating func takeDue(at now: MonotonicInstant) -> [Token] {
        let count = tokens.firstIndex { $0.deadline > now } ?? tokens.count
        defer { tokens.removeFirst(count) }
        return Array(tokens[..<count])
    }
}

/// Tokens whose key the hub does not know, and when each of them came first.
///
/// The source of the keys has the last word on a token only when it was asked after the token came: the key may have been made in between.
/// What it said when another token named the same key does not count, because anybody can forge a token that names tomorrow's key.
struct DoubtfulTokens {
    /// Of one loop. Beyond it all are forgotten, and are asked about as if they were new.
    static let most = 1_024

    private var firstSeen: [TokenDigest: MonotonicInstant] = [:]
    /// When the source was last asked and did answer.
    private(set) var asOf: MonotonicInstant?

    mutating func heard(asOf: MonotonicInstant) { self.asOf = asOf }

    func isDecided(_ since: MonotonicInstant) -> Bool { asOf.map { since <= $0 } ?? false }

    /// Whether the source has been asked since the token came first, and its answer had no key for it.
    mutating func isDecided(_ token: String, at now: MonotonicInstant) -> Bool {
        let digest = TokenDigest(token.utf8.span)
        if let since = firstSeen[digest] { return isDecided(since) }
        if firstSeen.count >= Self.most { firstSeen.removeAll(keepingCapacity: true) }
        firstSeen[digest] = now
        return false
    }
}
