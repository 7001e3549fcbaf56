import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import Telemetry
import TestKit
import Testing

@testable import Store

/// Hubs of two versions on one database: each migration says which older hubs work on the tables that it leaves, and the statements of those
/// hubs, recorded from their `hub statements`, still do what they did.
@Suite(.timeLimit(.minutes(2)), .guarded) struct RollingUpdateTests {
    /// Of the versions whose hubs may run beside the newest ones. Add a file for each released schema, and remove those that no longer fit.
    private static let recorded = [12, 13, 14]

    private struct Recording {
        let session: [String]
        let statements: [Statement]

        init(_ schema: Int) throws {
            let tests = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            let text = try Files.text("/\(tests)/Fixtures/statements/schema-\(schema).sql")
            let parts = text.split(separator: "-- name: ").map { part in
                let end = part.firstIndex(of: "\n") ?? part.endIndex
                return Statement(name: String(part[..<end]), sql: String(part[end...]))
            }
            session = parts.filter { $0.name == "session" }.map(\.sql)
            statements = parts.filter { $0.name != "session" }
        }
    }

    /// A hub of an older version, as the database sees it.
    private struct OlderHub {
        let connection: BlockingConnection

        init(_ recording: Recording, on address: String) throws {
            connection = try BlockingConnection(address, applicationName: "hub older")
            for sql in recording.session { try connection.execute(sql) }
            try connection.execute("set hub.node = 'older'")
            for statement in recording.statements { try connection.execute("prepare \(statement.name) as \(statement.sql)") }
        }

        @discardableResult
        func run(_ name: String, _ arguments: String...) throws -> [[String?]] {
            try connection.execute("execute \(name)" + (arguments.isEmpty ? "" : " (\(arguments.joined(separator: ", ")))"))
        }
    }

    @Test("every migration says what it works with, from the first that does on")
    func declarations() {
        for migration in Migration.all {
            let declared = Migration.declaration(in: migration.script)
            guard migration.number >= Migration.firstDeclaring else {
                #expect(declared == nil)
                continue
            }
            let number = migration.number
            #expect(declared != nil, "migration \(number) begins with the line: -- works with: NUMBER")
            #expect((Migration.firstDeclaring - 1...number).contains(migration.worksWith), "migration \(number)")
        }
    }

    @Test("the recorded statements are those of the hubs that the newest tables work with")
    func recordings() {
        let all = Migration.all
        let fitting = all.map(\.number).filter { known in
            known >= Migration.firstDeclaring - 1 && known < all.count && all.allSatisfy { $0.number <= known || $0.worksWith <= known }
        }
        #expect(Self.recorded == fitting)
    }

    @Test("each statement of an older hub runs on the newest tables", arguments: recorded)
    func statements(_ schema: Int) throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address)
        let recording = try Recording(schema)
        #expect(recording.statements.count > 20)
        let older = try OlderHub(recording, on: address)
        for statement in recording.statements {
            let taken = try older.connection.execute(
                "select cardinality(parameter_types) from pg_prepared_statements where name = lower('\(statement.name)')")
            let count = try #require(taken.first?.first.flatMap { $0 }.flatMap { Int($0) }, "\(statement.name)")
            let arguments = try StatementPlanTests.arguments(statement).prefix(count)
            try older.connection.execute("begin")
            try older.connection.execute(
                "execute \(statement.name)" + (arguments.isEmpty ? "" : " (\(arguments.joined(separator: ", ")))"))
            try older.connection.execute("rollback")
        }
    }

    @Test("an older hub and a new one see what the other stores", arguments: recorded)
    func beside(_ schema: Int) async throws {
        let bench = try await StoreBench {
            $0.isShared = true
            $0.nodeName = "newer"
        }.ready()
        let older = try OlderHub(Recording(schema), on: bench.address)
        // From schema 13 on a hub also tells its sessions and its state, and answers questions.
        let state = schema == 12 ? "" : ", 0, '{}', '{}', '{}', false"
        #expect(try older.run("beat", "'older', 'n', '0.7.0'\(state)").first?.first != nil)
        try await until { bench.store.statistics.nodes.value == 2 }
        let ann = try user("ann")

        // The older one stores an entry; the new one reads it in the journal and in the channel.
        try older.connection.execute("begin")
        try older.run("ensureChannels", "'{inbox:ann}'")
        try older.run("lockChannels", "'{inbox:ann}'")
        try older.run(
            "storeEntries", "'{null}'", "'{inbox:ann}'", "'{kafka:x}'", "'{one}'", "'{notification}'", "'{t}'", "'{normal}'", "'{full}'",
            "'{null}'", #"'{"\"title\":\"One\""}'"#, "'{null}'", "'{null}'", "'{null}'", "'{false}'", "'{null}'", "'{null}'", "'{t1}'",
            "'{1}'", "'{1}'", "'{null}'", "'{hub}'", "'{true}'")
        try older.connection.execute("commit")
        try await until { bench.bus.events.contains(.storedElsewhere(.inbox(ann), upTo: Seq(1))) }
        guard case .page(let entries, let head, _) = await bench.ask(.page(.inbox(ann), after: .zero, before: nil, limit: 10)) else {
            Issue.record("no page")
            return
        }
        #expect((entries.map(\.seq), head) == ([Seq(1)], Seq(1)))

        // The new one stores an entry; the older one finds it in the journal, and acknowledges it.
        #expect(await bench.ask(.ingest([draft(.inbox(ann), "two")], [])).seqs == [2])
        #expect(try !older.run("readJournal", "null", "'older'").isEmpty)
        try older.run("ensureCursors", "'{ann}'", "'{inbox:ann}'")
        #expect(try !older.run("ackCursors", "'{ann}'", "'{inbox:ann}'", "'{2}'").isEmpty)
        try await until { bench.bus.events.contains { if case .movedElsewhere = $0 { true } else { false } } }
        guard case .state(let state) = await bench.ask(.state(ann, .inbox(ann), entitled: false)) else {
            Issue.record("no state")
            return
        }
        #expect((state.head, state.cursor.delivered) == (Seq(2), Seq(2)))
    }

    // MARK: Contracting

    private func script(_ worksWith: Int) -> Migration {
        Migration(number: Migration.all.count + 1, script: "-- works with: \(worksWith)\ncreate table hub.later (n int)")
    }

    @Test("a migration that needs newer hubs waits until the older ones have gone, and names them")
    func contraction() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address)
        let connection = try BlockingConnection(address, applicationName: "tests")
        let own = Migration.all.count
        try connection.execute(
            """
            insert into hub.node (id, name, version, started_at, seen_at, state) values
                ('1', 'silent', '0.7.0', now(), now(), '{}'), ('2', 'gone', '0.7.0', now(), now() - interval '40 seconds', '{}'),
                ('3', 'own', '0.8.0', now(), now(), '{"schema": \(own)}'), ('4', 'new', '0.9.0', now(), now(), '{"schema": \(own + 1)}')
            """)
        let needs = MigrationError.inUse(number: own + 1, worksWith: own + 1, nodes: ["own", "silent"])
        #expect(throws: needs) { try Migrator.migrate(address, with: Migration.all + [script(own + 1)]) }
        #expect(!needs.isFinal, "it is tried again: the older hubs are about to go")
        #expect(needs.description.contains("own, silent"))
        #expect(try connection.execute("select to_regclass('hub.later')") == [[nil]])
        try connection.execute("delete from hub.node where id = '3'")
        #expect(throws: MigrationError.inUse(number: own + 1, worksWith: own, nodes: ["silent"])) {
            try Migrator.migrate(address, with: Migration.all + [script(own)])
        }
        #expect(try Migrator.migrate(address, with: Migration.all + [script(12)]) == [own + 1], "one that expands waits for nobody")
    }

    @Test("the first start on a database from before the list of hubs waits for nobody")
    func fromTheBeginning() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address, with: Array(Migration.all.prefix(11)))
        #expect(try Migrator.migrate(address).first == 12)
        let connection = try BlockingConnection(address, applicationName: "tests")
        let declared = try connection.execute("select works_with from hub.migration order by number").compactMap {
            $0[0].flatMap { Int($0) }
        }
        #expect(declared == Migration.all.map(\.worksWith))
    }
}
