import ArgumentParser
import Hub
import HubClient
import Linux
import Store

struct RestoredCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restored",
        abstract: "Tell the database that it was restored to an earlier state.",
        discussion: """
            Use it after every restore from a backup and after a replica took over that had not received everything, before the hubs start.
            Numbers of entries are then given again, so the positions of clients from before are not valid any more. The command begins a new
            epoch: clients that come back with positions of the earlier one are told `position_unknown`, and load their channels again.

            A hub that runs while the database goes back finds out by itself. Using the command also then does no harm: clients load once more.

              HUB_DATABASE_URL=postgresql://hub@db/hub hub restored
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let url = try options.databaseURL()
            do throws(MigrationError) {
                Console.print("epoch \(try Restoration.note(url))")
            } catch {
                throw CommandFailure(.unavailable, "\(error)")
            }
        }
    }
}
