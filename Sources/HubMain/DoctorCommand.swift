import ArgumentParser
import Configuration
import HubClient
import Linux

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the capture of the platform's database: what is wrong, and how to mend it.",
        discussion: """
            Looks at the platform's database (its replication slot, publication, and the tables that the rules file names) and at the
            topics of the connector, and changes nothing. `hub check` tests the hub's own database and Kafka.
            Exit codes: 0 nothing is wrong (there may be warnings); 1 something is; 78 the configuration is invalid.

              hub doctor --config hub.yaml
              hub doctor postgresql://reader@platform-db/portal --json
            """)

    @Argument(help: "The address of the platform's database. (default: source.database-url)") var address: String?
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let flags = address.map {
                [EffectiveConfiguration.Flag(name: "the address", key: "source.database-url", value: $0)]
            }
            let effective = try options.load(flags ?? [])
            let findings = try SourceDoctor(effective.configuration).run()
            if json {
                Console.print(DoctorReport.json(findings))
            } else {
                for line in DoctorReport.lines(findings) { Console.print(line) }
            }
            guard DoctorReport.isHealthy(findings) else {
                throw CommandFailure(.failed, "something is wrong with the source")
            }
        }
    }
}
