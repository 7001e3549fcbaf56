import ArgumentParser
import Configuration
import Embedded
import Hub
import HubClient
import Linux

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print what a client of the hub receives, a JSON object per line.",
        discussion: """
            Connects like any client, follows the user's channels; acknowledges nothing unless --ack. Says "hub tail: live" on stderr when it has
            caught up, and from then on misses nothing. When the connection is lost it comes back where it
            was, as politely as the hub asks. Goes to --url or HUB_URL, else to the embedded hub in --data.

              hub tail --token "$(hub token --subject alice)"
              hub tail --token "$T" --channel inbox --since 0           the whole inbox, then what comes
              hub tail --token "$T" --channel inbox --entries 1 | jq .  one entry, then the end
            """)

    @Option(help: ArgumentHelp("Who to be. Also as HUB_TOKEN.", valueName: "jwt"))
    var token: String?

    @Option(
        name: .customLong("channel"),
        help: ArgumentHelp("inbox, broadcast:system, … May be given several times. (default: all of the user's)", valueName: "name"))
    var channels: [String] = []

    @Option(help: ArgumentHelp("Also the entries after this position of each --channel; 0: from the beginning.", valueName: "seq"))
    var since: UInt64?

    @Option(help: ArgumentHelp("End after so many entries.", valueName: "count"))
    var entries: Int?

    @Flag(help: "Acknowledge each entry, as a browser does: the user's cursors in the hub move.")
    var ack = false

    @Flag(help: "End when the connection ends, instead of coming back.")
    var once = false

    @Option(help: ArgumentHelp("The hub's address, such as http://127.0.0.1:8080.", valueName: "url"))
    var url: String?

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        if since != nil, channels.isEmpty { throw ValidationError("--since needs --channel: positions are numbers within one channel") }
        if let entries, entries < 1 { throw ValidationError("--entries: expected 1 or more") }
    }

    func run() throws {
        try work { () throws(CommandFailure) in
            guard let token = token ?? variable("HUB_TOKEN") else {
                throw CommandFailure(
                    .usage, "--token (or HUB_TOKEN) is missing; for the embedded hub: --token \"$(hub token --subject alice)\"")
            }
            let folder = try options.load().configuration.data
            guard let url = url ?? variable("HUB_URL") ?? EmbeddedLocation(folder: folder).facts?.url else {
                throw CommandFailure(.unavailable, "no embedded hub runs in \(folder); name another one with --url or HUB_URL")
            }
            var options = TailRun.Options(url: url, token: token)
            options.channels = channels
            options.since = since
            options.entries = entries
            options.isOnce = once
            options.acknowledges = ack
            try TailRun(options).run()
        }
    }

    private func variable(_ name: String) -> String? { Machine.environment(name).flatMap { $0.isEmpty ? nil : $0 } }
}
