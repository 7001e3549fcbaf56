import ArgumentParser
import Configuration
import Hub
import HubClient
import Telemetry

struct ServicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services",
        abstract: "Run the private PostgreSQL and Kafka broker of the embedded mode, without a hub.",
        discussion: """
            For trials with several hubs on this machine, of which any may be killed. Not for production. Prints `ready` when
            DIR/embedded.env tells hubs where the services are; Ctrl-C stops them.

              hub services --url http://127.0.0.1:8080
              . .hub/embedded.env; HUB_LISTEN=127.0.0.1:8081 HUB_KAFKA_MEMBER=none hub serve
            """)

    @Option(help: ArgumentHelp("Where clients will reach the hubs: HUB_URL in embedded.env.", valueName: "url"))
    var url = "http://127.0.0.1:8080"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let flag = EffectiveConfiguration.Flag(name: "services", key: "embedded", value: "true")
            try ServeRun(options.load([flag])).services(url: url)
        }
    }
}
