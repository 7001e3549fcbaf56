import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite("The settings of the store's sessions", .timeLimit(.minutes(1)), .guarded)
struct SessionSettingsTests {
    /// What `synchronous_commit` was when the store wrote an entry.
    private func written(_ setting: String, of object: (String) -> String) async throws -> String? {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address)
        let connection = try BlockingConnection(address, applicationName: "tests")
        try connection.execute(
            """
            create table public.seen (value text);
            create function public.see() returns trigger language plpgsql as
                'begin insert into public.seen values (current_setting(''synchronous_commit'')); return null; end';
            create trigger see after insert on hub.entry for each row execute function public.see();
            """)
        let name = try connection.execute("select current_database()").first?.first ?? ""
        try connection.execute(object(name ?? "") + " set synchronous_commit = \(setting)")
        let bench = try await StoreBench(address).ready()
        let ann = try inbox("ann")
        #expect(await bench.ask(.ingest([draft(ann, "1")], [])).seqs == [1])
        return try connection.execute("select min(value) from public.seen having min(value) = max(value)").first?.first ?? nil
    }

    @Test("a database or a role with synchronous_commit = off does not make the store answer before a commit is on disk")
    func notDurable() async throws {
        #expect(try await written("off") { "alter database \($0)" } == "on")
        #expect(try await written("off") { "alter role postgres in database \($0)" } == "on")
    }

    @Test("stricter settings of the database stay", arguments: ["remote_apply", "remote_write", "local"])
    func stricter(_ setting: String) async throws {
        #expect(try await written(setting) { "alter database \($0)" } == setting)
    }

    @Test(
        "only tables are used that this program works on: its own, and newer ones that say so",
        arguments: [
            // The migrations in the database behind the own ones, by what they work with, and whether that suits.
            ([Int](), true), ([0], true), ([1], false), ([0, 0], true), ([0, 2], false), ([-1, 0], true), ([1, 0], false),
        ])
    func otherTables(_ later: [Int], _ suits: Bool) throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        let own = Migration.all.count
        let newer = later.enumerated().map { index, offset in
            Migration(number: own + 1 + index, script: "-- works with: \(own + offset)\nselect 1")
        }
        #expect(try Migrator.migrate(address, with: Migration.all + newer).count == own + later.count)
        let connection = try Connection.open(address)
        for _ in 0..<3 { try connection.run(Migrator.fits(known: own)) }
        try connection.commit()
        let rows = try connection.exchange().compactMap { if case .rows(let rows) = $0 { rows } else { nil } }
        #expect(SessionSettings.areSatisfied(by: rows) == suits)
        #expect(!SessionSettings.areSatisfied(by: Array(rows.dropLast())))
        #expect(try Migrator.inspect(address) == Migrator.Inspection(database: own + later.count, known: own, works: suits))
        if suits {
            #expect(try Migrator.migrate(address).isEmpty)
        } else {
            #expect(throws: MigrationError.newer(database: own + later.count, known: own)) { try Migrator.migrate(address) }
        }
    }

    @Test("older tables are not used before they are updated")
    func olderTables() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        for count in [Migration.firstDeclaring - 1, Migration.all.count - 1] {
            _ = try Migrator.migrate(address, with: Array(Migration.all.prefix(count)))
            let connection = try BlockingConnection(address, applicationName: "tests")
            #expect(try connection.execute(Migrator.fits(known: Migration.all.count)) == [["f"]])
        }
    }

    @Test("what a crash of the database's machine may lose is told")
    func risks() throws {
        // The tests' own cluster is as careless as that.
        #expect(try Migrator.risks(PostgresCluster.shared.get().makeDatabase()).map { $0.prefix { $0 != " " } } == ["fsync"])
    }
}
