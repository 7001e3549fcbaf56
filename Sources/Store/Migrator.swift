package import Postgres

/// One numbered change of the schema.
struct Migration: Equatable {
    let number: Int
    let script: String

    /// A hub that knows the schema up to this number works on the tables that the migration leaves. It is what the first line says.
    var worksWith: Int { Self.declaration(in: script) ?? number }

    static func declaration(in script: String) -> Int? {
        let mark = "-- works with: "
        guard let first = script.split(whereSeparator: \.isNewline).first, first.hasPrefix(mark) else { return nil }
        return Int(first.dropFirst(mark.count))
    }

    /// From here on each says in its first line what it works with.
    static let firstDeclaring = 13

    /// In the binary; `Migrations/migration_<number>.sql` is the source. Ascending and without gaps from 1. Never edited once released.
    static let all: [Migration] = [
        Migration(number: 1, script: String(decoding: PackageResources.migration_0001_sql, as: UTF8.self)),
        Migration(number: 2, script: String(decoding: PackageResources.migration_0002_sql, as: UTF8.self)),
        Migration(number: 3, script: String(decoding: PackageResources.migration_0003_sql, as: UTF8.self)),
        Migration(number: 4, script: String(decoding: PackageResources.migration_0004_sql, as: UTF8.self)),
        Migration(number: 5, script: String(decoding: PackageResources.migration_0005_sql, as: UTF8.self)),
        Migration(number: 6, script: String(decoding: PackageResources.migration_0006_sql, as: UTF8.self)),
        Migration(number: 7, script: String(decoding: PackageResources.migration_0007_sql, as: UTF8.self)),
        Migration(number: 8, script: String(decoding: PackageResources.migration_0008_sql, as: UTF8.self)),
        Migration(number: 9, script: String(decoding: PackageResources.migration_0009_sql, as: UTF8.self)),
        Migration(number: 10, script: String(decoding: PackageResources.migration_0010_sql, as: UTF8.self)),
        Migration(number: 11, script: String(decoding: PackageResources.migration_0011_sql, as: UTF8.self)),
        Migration(number: 12, script: String(decoding: PackageResources.migration_0012_sql, as: UTF8.self)),
        Migration(number: 13, script: String(decoding: PackageResources.migration_0013_sql, as: UTF8.self)),
        Migration(number: 14, script: String(decoding: PackageResources.migration_0014_sql, as: UTF8.self)),
        Migration(number: 15, script: String(decoding: PackageResources.migration_0015_sql, as: UTF8.self)),
    ]
}

package enum MigrationError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreachable(PostgresError)
    /// A newer hub has changed the schema: this one would misread it.
    case newer(database: Int, known: Int)
    /// Hubs that the migration would break are on the database.
    case inUse(number: Int, worksWith: Int, nodes: [String])
    /// A migration that was applied is not the one in this binary.
    case altered(number: Int)
    case encoding(String)
    /// Between the hub and PostgreSQL is a pool that gives each transaction another session.
    case pooled
    case failed(number: Int, PostgresError)

    package var description: String {
        switch self {
        case .unreachable(let error): "cannot use the database: \(error.message)"
        case .newer(let database, let known):
            "the database's schema hub is at migration \(database), this program knows \(known): use the newer program, or restore a backup"
        case .inUse(let number, let worksWith, let nodes):
            "migration \(number) needs hubs that know the schema up to \(worksWith), and there are older ones: \(nodes.joined(separator: ", ")); replace or stop them first; one that was killed counts for half a minute"
        case .altered(let number):
            "migration \(number) in the database is not the one in this program: another program made the schema hub; use another database"
        case .encoding(let encoding):
            "the database's encoding is \(encoding); it must be UTF8 (createdb --encoding=UTF8 --template=template0)"
        case .pooled:
            "database.url leads to a pool that gives each transaction another session, such as PgBouncer with pool_mode = transaction; the hub prepares statements and holds a lock in its sessions: use pool_mode = session, or PostgreSQL's own port"
        case .failed(let number, let error): "migration \(number) failed and was undone: \(error.message)"
        }
    }

    /// Trying again cannot help until somebody has acted.
    package var isFinal: Bool {
        switch self {
        case .unreachable(let error): error.isFinal
        case .inUse: false
        case .newer, .altered, .encoding, .pooled, .failed: true
        }
    }
}

/// Brings the schema `hub` up to date. Blocks: for the command line and for a thread of its own.
package enum Migrator {
    /// Any number will do, as long as every version uses the same.
    private static let lock = 4_857_210_937

    /// - Returns: the numbers applied now, ascending; empty when everything was in place.
    package static func migrate(_ address: String) throws(MigrationError) -> [Int] {
        try migrate(address, with: Migration.all)
    }

    /// What a database and this program know of each other.
    package struct Inspection: Equatable, Sendable {
        package let database: Int
        package let known: Int
        /// False: the database is newer, and its tables are no longer those of this program.
        package let works: Bool
    }

    /// Changes nothing.
    /// - Throws: also for what `migrate` would refuse.
    package static func inspect(_ address: String) throws(MigrationError) -> Inspection {
        try use(address) { connection in
            guard try connection.execute("select to_regclass('hub.migration')").first?.first != .some(nil) else {
                return Inspection(database: 0, known: Migration.all.count, works: true)
            }
            let applied = try connection.execute("select number, checksum from hub.migration order by number")
            for migration in Migration.all {
                guard let row = applied.first(where: { $0.first == String(migration.number) }) else { continue }
                guard row.last == (try checksum(of: migration, connection)) else { throw MigrationError.altered(number: migration.number) }
            }
            let database = applied.last?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
            let works = try database <= Migration.all.count || fits(connection, known: Migration.all.count)
            return Inspection(database: database, known: Migration.all.count, works: works)
        }
    }

    /// What in the database's own settings makes a crash of its machine lose what it has committed. The hub overrides `synchronous_commit`
    /// itself.
    package static func risks(_ address: String) throws(MigrationError) -> [String] {
        try use(address) { connection in
            try ["fsync", "full_page_writes"].filter { try connection.execute("show \($0)").first?.first == "off" }
                .map { "\($0) is off: a crash of its machine may lose or spoil what was acknowledged" }
        }
    }

    static func migrate(_ address: String, with migrations: [Migration]) throws(MigrationError) -> [Int] {
        try use(address) { connection in
            // Held until the connection closes: of several hubs starting at once one migrates and the others wait.
            try connection.execute("set statement_timeout = 0; set lock_timeout = 0; select pg_advisory_lock(\(lock))")
            try prepareLedger(connection)
            let applied = try connection.execute("select number, checksum from hub.migration order by number")
            if let newest = applied.last?.first.flatMap({ $0 }).flatMap({ Int($0) }), newest > migrations.count,
                !(try fits(connection, known: migrations.count))
            {
                throw MigrationError.newer(database: newest, known: migrations.count)
            }
            let missing = migrations.filter { migration in !applied.contains { $0.first == String(migration.number) } }
            try refuse(missing, whileUsed: connection)
            var done: [Int] = []
            for migration in migrations {
                let checksum = try checksum(of: migration, connection)
                if let row = applied.first(where: { $0.first == String(migration.number) }) {
                    guard row.last == checksum else { throw MigrationError.altered(number: migration.number) }
                } else {
                    try apply(migration, checksum, connection)
                    done.append(migration.number)
                }
            }
            return done
        }
    }

    /// Whether a program that knows the schema up to `known` works on these tables, which have at least that.
    static func fits(known: Int) -> String {
        // By way of JSON, because the column is missing before the migration that adds it.
        """
        select coalesce(max(m.number) >= \(known) and coalesce(
            max(coalesce((to_jsonb(m) ->> 'works_with')::integer, m.number)) filter (where m.number > \(known)), 0) <= \(known), false)
        from hub.migration m
        """
    }

    private static func fits(_ connection: BlockingConnection, known: Int) throws(PostgresError) -> Bool {
        try connection.execute(fits(known: known)).first?.first == "t"
    }

    /// A hub that has not been seen for this long has ended, or finds out what it missed when it comes back to the database.
    private static let missedAfter = "30 seconds"

    /// The tables must not change under a hub that does not know the change.
    private static func refuse(_ missing: [Migration], whileUsed connection: BlockingConnection) throws {
        guard let strictest = missing.max(by: { $0.worksWith < $1.worksWith }),
            try connection.execute("select to_regclass('hub.node')").first?.first != .some(nil)
        else { return }
        // The first versions with this table knew the schema 12, and did not say so.
        let older = try connection.execute(
            """
            select n.name from hub.node n
            where coalesce((to_jsonb(n) -> 'state' ->> 'schema')::integer, 12) < \(strictest.worksWith)
                and n.seen_at > now() - interval '\(missedAfter)'
            order by n.name
            """)
        guard older.isEmpty else {
            throw MigrationError.inUse(
                number: strictest.number, worksWith: strictest.worksWith, nodes: older.compactMap { $0.first.flatMap { $0 } })
        }
    }

    /// Connects, and refuses a database in another encoding than UTF8, and a pool.
    private static func use<Result>(_ address: String, _ work: (BlockingConnection) throws -> Result) throws(MigrationError) -> Result {
        do {
            let connection = try BlockingConnection(address, applicationName: "hub migrate")
            let encoding = try connection.execute("show server_encoding").first?.first ?? nil
            guard encoding == "UTF8" else { throw MigrationError.encoding(encoding ?? "unknown") }
            let second = try BlockingConnection(address, applicationName: "hub migrate")
            guard try haveOwnSessions(connection, second) else { throw MigrationError.pooled }
            return try work(connection)
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw .unreachable(error)
        } catch {
            throw .unreachable(PostgresError(message: "\(error)"))
        }
    }

    /// Whether each connection has the same session of the server in all its transactions, and none has the other's. A pool gives the
    /// session that was used last to whoever comes next.
    private static func haveOwnSessions(_ first: BlockingConnection, _ second: BlockingConnection) throws(PostgresError) -> Bool {
        func session(_ connection: BlockingConnection) throws(PostgresError) -> String? {
            try connection.execute("select pg_backend_pid()").first?.first ?? nil
        }
        let (one, two) = (try session(first), try session(second))
        for _ in 0..<4 {
            guard try session(first) == one, try session(second) == two else { return false }
        }
        return one != two
    }

    private static func prepareLedger(_ connection: BlockingConnection) throws(PostgresError) {
        guard try connection.execute("select to_regclass('hub.migration')").first?.first == .some(nil) else { return }
        // `create schema if not exists` wants the right to create schemas even where the schema is there.
        if try connection.execute("select to_regnamespace('hub')").first?.first == .some(nil) {
            try connection.execute(
                "create schema hub; comment on schema hub is 'The realtime communication hub: channels, entries, cursors.'")
        }
        try connection.execute(
            """
            create table hub.migration (
                number     integer primary key,
                checksum   text not null,
                applied_at timestamptz not null default now()
            );
            comment on table hub.migration is 'Changes of this schema, applied in order by the hub itself at its start.';
            comment on column hub.migration.checksum is 'SHA-256 of the script: an edited script is refused.';
            """)
    }

    private static func checksum(of migration: Migration, _ connection: BlockingConnection) throws(PostgresError) -> String? {
        try connection.execute("select encode(sha256(convert_to($1, 'UTF8')), 'hex')", [migration.script]).first?.first ?? nil
    }

    private static func apply(_ migration: Migration, _ checksum: String?, _ connection: BlockingConnection) throws {
        do {
            try connection.execute("begin;\n" + migration.script)
            try connection.execute(
                "insert into hub.migration (number, checksum) values ($1::integer, $2)", [String(migration.number), checksum ?? ""])
            if migration.number >= Migration.firstDeclaring {
                try connection.execute(
                    "update hub.migration set works_with = $2::integer where number = $1::integer",
                    [String(migration.number), String(migration.worksWith)])
            }
            try connection.execute("commit")
        } catch {
            guard !error.lost else { throw error }
            try connection.execute("rollback")
            throw MigrationError.failed(number: migration.number, error)
        }
    }
}
