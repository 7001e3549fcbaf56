public import Dialect

/// A server that takes part in a contest: one for each dialect, and possibly a second executable of the hub.
public struct Contestant: Hashable, Sendable {
    public var dialect: Dialect
    /// Whether this is the second executable of the hub.
    public var isOther = false

    public init(_ dialect: Dialect) { self.dialect = dialect }

    public static func otherHub(in match: Match) -> Contestant {
        var other = Contestant(match.subject)
        other.isOther = true
        return other
    }

    public var title: String { isOther ? "other \(dialect.title)" : dialect.title }
}
