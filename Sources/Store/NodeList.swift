import Postgres

/// The hubs on a database, for operators.
package enum NodeList {
    package struct Node: Equatable, Sendable {
        package let name: String
        package let version: String
        /// UTC, to the second.
        package let startedAt: String
        package let secondsSinceSeen: Int
        /// The hub was seen in the last ten seconds.
        package let isHere: Bool
    }

    /// Blocks. The oldest first.
    package static func read(_ address: String) throws(MigrationError) -> [Node] {
        do throws(PostgresError) {
            return try nodes(BlockingConnection(address, applicationName: "hub nodes"))
        } catch {
            throw .unreachable(error)
        }
    }

    private static func nodes(_ connection: BlockingConnection) throws(PostgresError) -> [Node] {
        let rows = try connection.execute(
            """
            select name, version, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                greatest(0, extract(epoch from now() - seen_at))::int8, seen_at > now() - interval '10 seconds'
            from hub.node order by started_at, id
            """)
        return rows.map { row in
            Node(
                name: row[0] ?? "", version: row[1] ?? "", startedAt: row[2] ?? "", secondsSinceSeen: row[3].flatMap { Int($0) } ?? 0,
                isHere: row[4] == "t")
        }
    }
}
