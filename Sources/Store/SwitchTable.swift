import JSON
import Linux
package import Messaging
import Postgres

/// The table of switches, for operators: who changes it leaves a row in `hub.audit`. Blocks.
package struct SwitchTable {
    /// A row, as it is.
    package struct Row: Equatable, Sendable {
        package let feature: String
        package let scope: String
        package let mode: String
        package let seconds: Int?
        /// UTC, to the second.
        package let until: String?
        package let setAt: String
        package let setBy: String
        package let why: String
    }

    /// What `hub on` did.
    package enum Removal: Equatable, Sendable {
        case removed
        /// There was no switch for the scope.
        case none
        /// A switch with a wider scope is in force, so the scope is on as an exception from it.
        case excepted(from: String)
    }

    /// The table has as many rows as it may.
    package static func isFull(_ error: MigrationError) -> Bool {
        if case .unreachable(let error) = error { error.sqlState == "23514" && error.message.contains("which is the most") } else { false }
    }

    private let address: String
    /// Who acts, for the audit.
    private let person: String

    package init(_ address: String, person: String) {
        self.address = address
        self.person = person
    }

    /// Those that are in force.
    package func read() throws(MigrationError) -> [Row] {
        try use { connection throws(PostgresError) in try rows(connection) }
    }

    package func set(_ one: Switch, why: String) throws(MigrationError) {
        try use { connection throws(PostgresError) in
            try change(connection) { () throws(PostgresError) in
                try put(one, why, connection)
                try note("off", one, why, connection)
            }
        }
    }

    /// Takes the switch of this scope away. Where one with a wider scope would then count, the scope becomes an exception from it.
    package func remove(_ feature: SwitchedFeature, for scope: SwitchScope, why: String) throws(MigrationError) -> Removal {
        try use { connection throws(PostgresError) in
            var removal = Removal.none
            try change(connection) { () throws(PostgresError) in
                let gone = try connection.execute(
                    "delete from hub.switch where feature = $1 and scope = $2 returning mode", [feature.rawValue, scope.text])
                if !gone.isEmpty { removal = .removed }
                let wider = try rows(connection).filter { row in
                    row.feature == feature.rawValue && row.mode != "on"
                        && SwitchScope(row.scope).map { $0.precedence < scope.precedence } == true
                }
                if let last = wider.max(by: { (SwitchScope($0.scope)?.precedence ?? 0) < (SwitchScope($1.scope)?.precedence ?? 0) }) {
                    try put(Switch(feature, for: scope, .on), why, connection)
                    removal = .excepted(from: last.scope)
                }
                // Without a switch there is nothing to be excepted from.
                try connection.execute(
                    """
                    delete from hub.switch s where s.feature = $1 and s.mode = 'on'
                        and not exists (select from hub.switch o where o.feature = $1 and o.mode <> 'on')
                    """, [feature.rawValue])
                if removal != .none { try note("on", Switch(feature, for: scope, .on), why, connection) }
            }
            return removal
        }
    }

    // MARK: Parts

    private func put(_ one: Switch, _ why: String, _ connection: BlockingConnection) throws(PostgresError) {
        try connection.execute(
            """
            insert into hub.switch (feature, scope, mode, every_seconds, until, set_by, why)
            values ($1, $2, $3, nullif($4, '')::int4, to_timestamp(nullif($5, '')::float8 / 1000), $6, $7)
            on conflict (feature, scope) do update set mode = excluded.mode, every_seconds = excluded.every_seconds,
                until = excluded.until, set_at = now(), set_by = excluded.set_by, why = excluded.why
            """,
            [
                one.feature.rawValue, one.scope.text, one.mode.name, one.mode.seconds.map { "\($0)" } ?? "",
                one.until.map { "\($0.milliseconds)" } ?? "", person, why,
            ])
    }

    private func note(_ action: String, _ one: Switch, _ why: String, _ connection: BlockingConnection) throws(PostgresError) {
        var detail = JSONObject()
        detail["feature"] = .string(one.feature.rawValue)
        detail["scope"] = .string(one.scope.text)
        detail["mode"] = .string(one.mode.name)
        detail["every_seconds"] = one.mode.seconds.map { .number(JSONNumber(Int64($0))) }
        detail["until"] = one.until.map { .string($0.rfc3339) }
        try connection.execute(
            "insert into hub.audit (person, action, subject, detail, why) values ($1, $2, $3, $4::jsonb, $5)",
            [person, "switch \(action)", "\(one.feature.rawValue) for \(one.scope.text)", JSONValue.object(detail).text, why])
    }

    /// One after the other, so that two operators do not both add the last switch that there is room for. Switches that have ended make room.
    private func change(_ connection: BlockingConnection, _ body: () throws(PostgresError) -> Void) throws(PostgresError) {
        try connection.execute("begin")
        try connection.execute("lock table hub.switch in share row exclusive mode")
        try connection.execute("delete from hub.switch where until <= now()")
        try body()
        try connection.execute("commit")
        try connection.execute("select pg_notify('hub_journal', $1)", [Bell.knock])
    }

    private func rows(_ connection: BlockingConnection) throws(PostgresError) -> [Row] {
        let found = try connection.execute(
            """
            select feature, scope, mode, every_seconds, to_char(until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                to_char(set_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), set_by, why
            from hub.switch where until is null or until > now() order by feature, scope
            """)
        return found.map { row in
            Row(
                feature: row[0] ?? "", scope: row[1] ?? "", mode: row[2] ?? "", seconds: row[3].flatMap { Int($0) }, until: row[4],
                setAt: row[5] ?? "", setBy: row[6] ?? "", why: row[7] ?? "")
        }
    }

    private func use<Result>(_ work: (BlockingConnection) throws(PostgresError) -> Result) throws(MigrationError) -> Result {
        do throws(PostgresError) {
            return try work(BlockingConnection(address, applicationName: "hub switch"))
        } catch {
            throw .unreachable(error)
        }
    }
}
