package import Postgres

/// Whether a commit waits for a standby of the database. Blocks: for the command line.
package struct Standbys: Equatable, Sendable {
    /// Servers that follow this one.
    package let count: Int
    private let names: String
    private let commit: String

    /// Without the right to read statistics, PostgreSQL tells only how many there are; the two settings anyone may read.
    package static func look(_ address: String) throws(PostgresError) -> Standbys {
        let connection = try BlockingConnection(address, applicationName: "hub check")
        let row = try connection.execute(
            """
            select count(*), current_setting('synchronous_standby_names'), current_setting('synchronous_commit')
            from pg_stat_replication where state is distinct from 'backup'
            """
        ).first
        guard let row, row.count == 3 else { return Standbys(count: 0, names: "", commit: "on") }
        return Standbys(count: row[0].flatMap { Int($0) } ?? 0, names: row[1] ?? "", commit: row[2] ?? "")
    }

    /// The hub itself replaces `off`, by `on`.
    package var isUnsafe: Bool { count > 0 && (names.isEmpty || commit == "local") }

    package var reason: String { names.isEmpty ? "synchronous_standby_names is empty" : "synchronous_commit is \(commit)" }
}
