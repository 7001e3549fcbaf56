import ArgumentParser
import Configuration
import Embedded
import Hub
import HubClient
import Linux

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print the messages that a client of the hub receives: JSON objects or readable text, one per line.",
        discussion: """
            Connects like any client and follows the user's channels. Acknowledges entries only with --ack. Prints "hub tail: live" on stderr
            when all channels are live. After a lost connection it reconnects after the delay that the hub advises, and continues at its
            positions. Connects to --url or HUB_URL, else to the embedded hub in --data. The lines are JSON also on a terminal, so that a command
            that was tried there does the same in a script; --format text is for reading.

              hub tail --token "$(hub token --subject alice)"
              hub tail --token "$T" --format text                       for people, in the language of LANG
              hub tail --token "$T" --channel inbox --since 0           the whole inbox, then new entries
              hub tail --token "$T" --channel inbox --entries 1 | jq .  ends after one entry
            """)

    @Option(help: ArgumentHelp("The user's token. (environment: HUB_TOKEN)", valueName: "jwt"))
    var token: String?

    @Option(
        name: .customLong("channel"),
        help: ArgumentHelp(
            "A channel, such as inbox or broadcast:system. May be given several times. (default: all of the user's channels)",
            valueName: "name"))
    var channels: [String] = []

    @Option(help: ArgumentHelp("Begin with the entries after this position of each --channel; 0: from the first entry.", valueName: "seq"))
    var since: UInt64?

    @Option(help: ArgumentHelp("json: every message as the hub sends it. text: one readable line for each.", valueName: "json|text"))
    var format = Format.json

    @Option(help: ArgumentHelp("End after this number of entries.", valueName: "count"))
    var entries: Int?

    @Flag(help: "Acknowledge each entry, which moves the user's cursors in the hub.")
    var ack = false

    @Flag(help: "End when the connection ends, instead of reconnecting.")
    var once = false

    @Option(help: ArgumentHelp("The hub's address, such as http://127.0.0.1:8080. (environment: HUB_URL)", valueName: "url"))
    var url: String?

    @OptionGroup var options: ConfigurationOptions

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case json, text
    }

    func validate() throws {
        if since != nil, channels.isEmpty {
            throw ValidationError("--since needs --channel, because a position is a number within one channel")
        }
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
            options.textLanguage = format == .text ? language : nil
            try TailRun(options).run()
        }
    }

    /// The first two letters of the locale, such as `fr` of `fr_FR.UTF-8`.
    private var language: String {
        String((variable("LC_ALL") ?? variable("LC_MESSAGES") ?? variable("LANG") ?? "en").prefix { $0 != "_" && $0 != "." })
    }

    private func variable(_ name: String) -> String? { Machine.environment(name).flatMap { $0.isEmpty ? nil : $0 } }
}
