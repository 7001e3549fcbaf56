import ArgumentParser
import Hub
import HubClient
import Linux
import Store

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the database's schema up to date.",
        discussion: """
            Applies the missing migrations in order, each in a transaction. Only one hub migrates at a time. `hub serve` does the same at its
            start. Use this command to migrate in advance, with a database account that may change tables.

              HUB_DATABASE_URL=postgresql://owner@db/hub hub migrate
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let url = try options.databaseURL()
            do throws(MigrationError) {
                let applied = try Migrator.migrate(url)
                Console.print(applied.isEmpty ? "up to date" : "applied " + applied.map(String.init).joined(separator: ", "))
            } catch {
                throw CommandFailure(.unavailable, "\(error)")
            }
        }
    }
}
