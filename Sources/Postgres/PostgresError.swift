/// A failure of the server or of the way to it.
public struct PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The five characters of PostgreSQL's Appendix A, e.g. `23505`; nil when the failure is libpq's own.
    public var sqlState: String?
    /// The server's or libpq's text, without trailing newline. May quote data: for logs and dead letters, not for clients.
    public var message: String
    /// True when the connection cannot be used any more. What was in flight may or may not have been committed.
    public var lost: Bool

    public init(sqlState: String? = nil, message: String, lost: Bool = false) {
        self.sqlState = sqlState
        self.message = message
        self.lost = lost
    }

    public var description: String { (sqlState.map { $0 + ": " } ?? "") + message }

    /// The server refuses the user or does not have the database: no further attempt succeeds before somebody has acted.
    static let finalStates: Set<String> = ["28P01", "28000", "3D000"]
    public var isFinal: Bool { sqlState.map(Self.finalStates.contains) ?? false }

    /// What a failure of a transaction means for the sender. The table is the SQLSTATE classes' meaning
    /// (PostgreSQL Appendix A); a state that is not in it is treated as temporary.
    public enum Meaning: Equatable, Sendable {
        /// The data is at fault: the same data will fail again, other data will not.
        case data
        /// Nothing was done; the same transaction may succeed at once (deadlock, serialization).
        case conflict
        /// Nothing was done; the server is short of something, or shutting down.
        case passing
        /// Nothing was done; it took longer than statements may. The same again may take as long.
        case slow
        /// The tables are not those this program knows.
        case schema
        /// The server is a standby or read-only: another one may be the primary now.
        case readOnly
    }

    public var meaning: Meaning {
        guard let sqlState else { return .passing }
        switch sqlState.prefix(2) {
        case "22", "23", "54": return .data
        case "40": return .conflict
        case "57": return sqlState == "57014" ? .slow : .passing
        case "25": return sqlState == "25006" ? .readOnly : .passing
        case "3F": return .schema
        case "42": return sqlState == "42501" ? .passing : .schema
        default: return .passing
        }
    }
}
