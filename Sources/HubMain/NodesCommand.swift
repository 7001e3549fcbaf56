import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux
import Store

struct NodesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "List the hubs on a database.",
        discussion: """
            One line for each: its name and version, when it started, what it does (serving, draining, drained), its sessions, the records in
            Kafka that it has not stored yet (LAG), when it last read what the others stored (JOURNAL), how it hears of them (BUS), and the newest
            schema that it knows. A hub says so every two seconds. One that has not for ten has ended or cannot reach the database, and is
            forgotten after an hour; one that is stopped goes at once. Hubs with `bus: memory` are not listed.

              HUB_DATABASE_URL=postgresql://hub@db/hub hub nodes
            """)

    @Flag(help: "Print a JSON object for each.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let url = try options.databaseURL()
            do throws(MigrationError) {
                let nodes = try NodeList.read(url)
                for line in json ? NodeTable.json(nodes) : NodeTable.lines(nodes) { Console.print(line) }
            } catch {
                throw CommandFailure(.unavailable, "\(error)")
            }
        }
    }
}

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Move the clients of one hub to the others.",
        discussion: """
            The hub takes no new sessions, `/readyz` says no, and its clients are told to reconnect (4200), in a time in which the other hubs can
            take them: see drain.sessions-per-second. It stays so until it is stopped or --undo is used. `hub nodes` shows when it has none left.

              hub drain hub-1-8080
              hub drain hub-1-8080 --window 30s
              hub drain hub-1-8080 --undo
            """)

    @Argument(help: ArgumentHelp("Its name or id, as `hub nodes` or `hub nodes --json` list it.", valueName: "node"))
    var node: String

    @Option(
        help: ArgumentHelp("The time in which all clients are told, such as 30s. (default: as the other hubs need)", valueName: "duration"))
    var window: String?

    @Flag(help: "Take sessions again.")
    var undo = false

    @Option(help: ArgumentHelp("How long to wait for its answer.", valueName: "duration"))
    var within = "10s"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            if undo, window != nil { throw CommandFailure(.usage, "--undo and --window exclude each other") }
            let over = try window.map { text throws(CommandFailure) in try Self.duration(text, of: "--window") }
            let inquiry = NodeInquiry(try options.databaseURL(), within: try Self.duration(within, of: "--within"))
            Console.print(try inquiry.drain(node, over: over, isUndone: undo))
        }
    }

    static func duration(_ text: String, of flag: String) throws(CommandFailure) -> Duration {
        guard let duration = Duration(quantity: text), duration <= .seconds(86_400) else {
            throw CommandFailure(.usage, "\(flag) \(text): expected a duration such as 30s, 5m, at most 1d")
        }
        return duration
    }
}

struct SessionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "List a user's sessions on all hubs.",
        discussion: """
            One line for each: the hub, the transport, the session's id and the last sign of the user. The last line says how many hubs answered
            in time.

              hub sessions alice
            """)

    @Argument(help: ArgumentHelp("The user's id.", valueName: "user"))
    var user: String

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: ArgumentHelp("How long to wait for the answers.", valueName: "duration"))
    var within = "5s"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let limit = try DrainCommand.duration(within, of: "--within")
            for line in try NodeInquiry(options.databaseURL(), within: limit).sessions(of: user, asJSON: json) { Console.print(line) }
        }
    }
}
