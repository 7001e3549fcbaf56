package import JSON
import Linux
package import Messaging
import Postgres

/// The hubs on a database, for operators: the list, and questions to them.
package enum NodeList {
    /// More than twelve stored properties: one for each column and member of `state` that is shown.
    package struct Node: Equatable, Sendable {
        /// Of the process.
        package let id: String
        package let name: String
        package let version: String
        /// UTC, to the second.
        package let startedAt: String
        package let secondsSinceSeen: Int
        /// The hub was seen in the last ten seconds.
        package let isHere: Bool
        package let sessions: Int
        /// nil: a version that does not tell.
        package let stage: String?
        package let lag: Int?
        /// Since it last read what the others stored.
        package let journalMilliseconds: Int?
        package let bus: String?
        package let hears: Bool?
        package let schema: Int?
        package let codec: String?
    }

    /// What one hub answered; nil: nothing in time.
    package struct Answer: Sendable {
        package let node: Node
        package let object: JSONObject?
    }

    /// Blocks. The oldest first.
    package static func read(_ address: String) throws(MigrationError) -> [Node] {
        try use(address) { connection throws(PostgresError) in try nodes(connection) }
    }

    /// Asks the hubs that are here, or one of them, and waits for their answers. Blocks.
    /// - Parameter asked: the id of one hub; nil: all.
    package static func ask(
        _ address: String, _ kind: NodeQuestion.Kind, subject: String, of asked: String? = nil, within limit: Duration
    ) throws(MigrationError) -> [Answer] {
        try use(address) { connection throws(PostgresError) in
            let nodes = try nodes(connection).filter { $0.isHere && (asked ?? $0.id) == $0.id }
            let rows = try connection.execute(
                """
                insert into hub.question (kind, subject, node, until)
                values ($1, $2, nullif($3, ''), now() + $4::int8 * interval '1 millisecond') returning id
                """, [kind.rawValue, subject, asked ?? "", String(limit.components.seconds * 1_000)])
            guard let id = rows.first?.first ?? nil else { return [] }
            try connection.execute("select pg_notify('hub_journal', $1)", [Bell.knock])
            let end = MonotonicInstant.now + limit
            while true {
                let found = try connection.execute(
                    "select key, value::text from hub.question q, jsonb_each(q.answers) where q.id = $1::int8", [id])
                var answers: [String: JSONObject] = [:]
                for row in found {
                    if let node = row[0], let text = row[1], let value = try? JSONValue.parse(text) { answers[node] = value.object }
                }
                if nodes.allSatisfy({ answers[$0.id] != nil }) || MonotonicInstant.now >= end {
                    return nodes.map { Answer(node: $0, object: answers[$0.id]) }
                }
                Thread.pause(.milliseconds(20))
            }
        }
    }

    private static func use<Result>(
        _ address: String, _ work: (BlockingConnection) throws(PostgresError) -> Result
    ) throws(MigrationError) -> Result {
        do throws(PostgresError) {
            return try work(BlockingConnection(address, applicationName: "hub nodes"))
        } catch {
            throw .unreachable(error)
        }
    }

    private static func nodes(_ connection: BlockingConnection) throws(PostgresError) -> [Node] {
        let rows = try connection.execute(
            """
            select id, name, version, to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                greatest(0, extract(epoch from now() - seen_at))::int8, seen_at > now() - interval '10 seconds', sessions,
                state ->> 'stage', state ->> 'lag', state ->> 'journal_ms', state ->> 'bus', state ->> 'hears', state ->> 'schema',
                state ->> 'codec'
            from hub.node order by started_at, id
            """)
        return rows.map { row in
            Node(
                id: row[0] ?? "", name: row[1] ?? "", version: row[2] ?? "", startedAt: row[3] ?? "",
                secondsSinceSeen: row[4].flatMap { Int($0) } ?? 0, isHere: row[5] == "t", sessions: row[6].flatMap { Int($0) } ?? 0,
                stage: row[7], lag: row[8].flatMap { Int($0) }, journalMilliseconds: row[9].flatMap { Int($0) }, bus: row[10],
                hears: row[11].map { $0 == "true" }, schema: row[12].flatMap { Int($0) }, codec: row[13])
        }
    }
}

extension NodeList.Node {
    package var object: JSONObject {
        var object = JSONObject()
        func number(_ value: Int?) -> JSONValue { value.map { .number(JSONNumber(Int64($0))) } ?? .null }
        object["id"] = .string(id)
        object["name"] = .string(name)
        object["version"] = .string(version)
        object["since"] = .string(startedAt)
        object["here"] = .bool(isHere)
        object["seen_seconds_ago"] = number(secondsSinceSeen)
        object["stage"] = stage.map { .string($0) } ?? .null
        object["sessions"] = number(sessions)
        object["lag"] = number(lag)
        object["journal_ms"] = number(journalMilliseconds)
        object["bus"] = bus.map { .string($0) } ?? .null
        object["hears"] = hears.map { .bool($0) } ?? .null
        object["schema"] = number(schema)
        object["codec"] = codec.map { .string($0) } ?? .null
        return object
    }
}
