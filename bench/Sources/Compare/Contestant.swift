public import Dialect

/// A server that takes part in a contest: one of each dialect, and a second executable of the hub.
public struct Contestant: Hashable, Sendable {
    public var dialect: Dialect
    /// The second executable.
    public var isOther = false

    public init(_ dialect: Dialect) { self.dialect = dialect }

    public static func otherHub(in match: Match) -> Contestant {
        var other = Contestant(match.subject)
        other.isOther = true
        return other
    }

    public var title: String { isOther ? "other \(dialect.title)" : dialect.title }
}
