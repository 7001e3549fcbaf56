import ArgumentParser
import Configuration
import Hub
import HubClient
import Telemetry

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Run a plain WebSocket echo server through the hub's own connection code.",
        discussion: """
            For conformance suites and benchmarks. The server sends every message back, on any path, without a token.
            Prints `ready http://HOST:PORT`.

              hub echo --listen 127.0.0.1:9001
            """)

    @Option(help: ArgumentHelp("The address to listen on; port 0 takes a free one.", valueName: "host:port"))
    var listen = "127.0.0.1:9001"

    @Option(help: ArgumentHelp("Longest message, in MiB.", valueName: "size"))
    var messageMebibytes = 64

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        guard (1...1024).contains(messageMebibytes) else { throw ValidationError("--message-mebibytes: expected 1 to 1024") }
    }

    func run() throws {
        try work { () throws(CommandFailure) in
            let effective = try options.load([EffectiveConfiguration.Flag(name: "--listen", key: "listen", value: listen)])
            try ServeRun(effective).echo(messageBytes: messageMebibytes << 20)
        }
    }
}
