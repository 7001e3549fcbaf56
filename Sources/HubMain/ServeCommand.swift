import ArgumentParser
import Configuration
import Hub
import HubClient

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the hub.",
        discussion: """
            Prints one line `ready http://HOST:PORT` on stdout when clients can connect; logs go to stderr. Ctrl-C or SIGTERM stops
            the hub: it answers the commands it has received, and asks its clients to reconnect elsewhere at different times.

              hub serve --embedded                        data in .hub, on loopback; not for production
              hub serve --embedded --listen 127.0.0.1:0   on a free port
              HUB_DATABASE_URL=postgresql://hub@db/hub HUB_KAFKA_BROKERS=kafka:9092 \\
                HUB_JWKS=https://id.example.org/jwks HUB_ISSUER=https://id.example.org HUB_AUDIENCE=hub \\
                hub serve --listen 0.0.0.0:8080

            The embedded hub writes DIR/embedded.env with HUB_URL, HUB_DATABASE_URL, HUB_KAFKA_BROKERS and the settings for tokens:

              . .hub/embedded.env; psql "$HUB_DATABASE_URL" -c 'select * from hub.channel'
            """)

    @Flag(help: "Run a private PostgreSQL and an in-process Kafka broker, on this machine only. Not for production.")
    var embedded = false

    @Option(
        help: ArgumentHelp(
            "The address on which the hub accepts clients; port 0 takes a free one. (default: 127.0.0.1:8080)", valueName: "host:port"))
    var listen: String?

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            var flags: [EffectiveConfiguration.Flag] = []
            if embedded { flags.append(EffectiveConfiguration.Flag(name: "--embedded", key: "embedded", value: "true")) }
            if let listen { flags.append(EffectiveConfiguration.Flag(name: "--listen", key: "listen", value: listen)) }
            try ServeRun(options.load(flags)).serve()
        }
    }
}
