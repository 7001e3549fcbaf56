import Linux
import Messaging

/// Tokens whose signing key is being asked for, in the order they came: all wait equally long, so the first is due first.
struct WaitingTokens {
    struct Token {
        let session: SessionID
        let origin: CommandOrigin
        let token: String
        let kid: String?
        let use: Authentication.Use
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

    mutating func takeAll() -> [Token] {
        defer { tokens = [] }
        return tokens
    }

    mutating func take(naming kids: Set<String?>) -> [Token] {
        let taken = tokens.filter { kids.contains($0.kid) }
        if !taken.isEmpty { tokens.removeAll { kids.contains($0.kid) } }
        return taken
    }

    mutating func takeDue(at now: MonotonicInstant) -> [Token] {
        let count = tokens.firstIndex { $0.deadline > now } ?? tokens.count
        defer { tokens.removeFirst(count) }
        return Array(tokens[..<count])
    }
}
