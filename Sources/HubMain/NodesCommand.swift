import ArgumentParser
import Hub
import HubClient
import Linux
import Store

struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "List the hubs on a database.",
        discussion: """
            One line for each: its name, its version, when it started, and whether it is there. A hub says so every two seconds; one that has
            not for ten has ended or cannot reach the database, and is forgotten after an hour. Hubs with `bus: memory` are not listed.

              HUB_DATABASE_URL=postgresql://hub@db/hub hub nodes
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let url = try options.databaseURL()
            do throws(MigrationError) {
                for node in try NodeList.read(url) {
                    let state = node.isHere ? "here" : "not seen for \(node.secondsSinceSeen) s"
                    Console.print("\(node.name)  \(node.version)  since \(node.startedAt)  \(state)")
                }
            } catch {
                throw CommandFailure(.unavailable, "\(error)")
            }
        }
    }
}
