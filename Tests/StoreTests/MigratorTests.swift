import HangGuard
import Postgres
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(1)), .guarded) struct MigratorTests {
    @Test func anEmptyDatabaseGetsTheSchemaAndASecondRunDoesNothing() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        #expect(try Migrator.inspect(address) == Migrator.Inspection(database: 0, known: Migration.all.count, works: true))
        #expect(try Migrator.migrate(address) == Migration.all.map(\.number))
        #expect(try Migrator.migrate(address).isEmpty)
        let all = Migration.all.count
        #expect(try Migrator.inspect(address) == Migrator.Inspection(database: all, known: all, works: true))
        let connection = try BlockingConnection(address, applicationName: "tests")
        let undocumented = try connection.execute(
            """
            select c.relname from pg_class c
            where c.relnamespace = 'hub'::regnamespace and c.relkind = 'r' and obj_description(c.oid) is null
            """)
        #expect(undocumented.isEmpty, "every table says what it is")
    }

    @Test func migrationNumbersHaveNoGaps() {
        #expect(Migration.all.map(\.number) == Array(1...Migration.all.count))
    }

    @Test func hubsThatStartTogetherMigrateOnce() async throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 { group.addTask { try Migrator.migrate(address) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied == Migration.all.map(\.number))
    }

    @Test func aNewerDatabaseIsRefused() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(
            address, with: Migration.all + [Migration(number: Migration.all.count + 1, script: "create table hub.later (n int)")])
        let newer = MigrationError.newer(database: Migration.all.count + 1, known: Migration.all.count)
        #expect(throws: newer) { try Migrator.migrate(address) }
        #expect(try !Migrator.inspect(address).works)
        #expect(newer.description.contains("use the newer program"))
    }

    @Test func anEditedMigrationIsRefused() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address)
        #expect(throws: MigrationError.altered(number: 1)) {
            try Migrator.migrate(address, with: [Migration(number: 1, script: "select 1")] + Migration.all.dropFirst())
        }
        try BlockingConnection(address, applicationName: "tests").execute("update hub.migration set checksum = 'other' where number = 2")
        #expect(throws: MigrationError.altered(number: 2)) { try Migrator.inspect(address) }
    }

    @Test func aMigrationThatFailsIsUndoneAsAWhole() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        let broken = Migration(number: Migration.all.count + 1, script: "create table hub.half (n int); select 1 / 0;")
        let error = #expect(throws: MigrationError.self) { try Migrator.migrate(address, with: Migration.all + [broken]) }
        guard case .failed(number: broken.number, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.sqlState == "22012")
        #expect(try Migrator.inspect(address).database == Migration.all.count)
        #expect(try BlockingConnection(address, applicationName: "tests").execute("select to_regclass('hub.half')") == [[nil]])
    }

    @Test func databasesInAnotherEncodingThanUTF8AreRefused() throws {
        let address = try PostgresCluster.shared.get().makeDatabase("encoding 'LATIN1' locale 'C' template template0")
        #expect(throws: MigrationError.encoding("LATIN1")) { try Migrator.migrate(address) }
        #expect(throws: MigrationError.encoding("LATIN1")) { try Migrator.inspect(address) }
    }

    @Test func aMissingDatabaseIsReportedAsUnreachable() {
        let error = #expect(throws: MigrationError.self) { try Migrator.migrate("host=/nowhere") }
        #expect(error?.isFinal == false)
    }
}
