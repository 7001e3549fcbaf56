import ArgumentParser
import Hub
import HubClient
import Linux
import Telemetry

@main
struct HubCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hub",
        abstract: "Realtime communication hub: notifications and messages over WebSockets, events in from Kafka, durable in PostgreSQL.",
        discussion: """
            To try the hub with its own database and broker, on this machine only:

              hub serve --embedded
              hub token --subject alice
              hub tail --token "$(hub token --subject alice)"
              hub publish --to user:alice --type demo.hello --title "Hello"

            In production the settings come from a file, the environment and flags. A later source overrides an earlier one:

              hub check --config hub.yaml     shows the settings and tests the dependencies
              hub migrate --config hub.yaml   prepares the database (serve does this, too)
              hub restored --config hub.yaml  after a restore of the database from a backup
              hub nodes --config hub.yaml     lists the hubs on the database; see also hub drain and hub sessions
              hub off FEATURE --why WHY       switches a feature off; see also hub on and hub switches
              hub rules check rules.yaml      checks the rules over changes of the platform's tables
              hub rules try new.yaml          compares rules with those in use over changes that Kafka has; see also hub rules replay
              hub why ENTRY                   tells where an entry came from, and who has it
              hub doctor --config hub.yaml    checks the capture of the platform's database
              hub retract --entry user:alice/17 takes back what the platform told
              hub serve --config hub.yaml

            Exit codes: 0 done; 1 failed; 64 bad flags; 69 a dependency is unreachable; 77 refused by the hub; 78 bad configuration.
            """,
        version: "hub \(Version.hub)\nlibrdkafka \(LinkedLibraries.kafka)",
        subcommands: [
            ServeCommand.self, TokenCommand.self, PublishCommand.self, TailCommand.self, CheckCommand.self, MigrateCommand.self,
            RestoredCommand.self, NodesCommand.self, DrainCommand.self, SessionsCommand.self, RevokeCommand.self, ServicesCommand.self,
            EchoCommand.self, StatementsCommand.self, RulesCommand.self, WhyCommand.self,
            DoctorCommand.self, RetractCommand.self, OffCommand.self, OnCommand.self, SwitchesCommand.self,
        ])

    static func main() {
        // The signals are blocked before the first thread starts, so that all threads inherit the mask. A descriptor delivers them instead.
        Signals.block()
        main(nil)
    }
}

/// Runs a command's work and reports a failure on stderr and by the exit code.
func work(_ body: () throws(CommandFailure) -> Void) throws {
    do throws(CommandFailure) {
        try body()
    } catch {
        for line in error.lines { Console.error("hub: \(line)", within: .seconds(2)) }
        throw ExitCode(error.kind.rawValue)
    }
}
