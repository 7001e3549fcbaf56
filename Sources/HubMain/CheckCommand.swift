import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Show the effective configuration and test the connections to the database, Kafka and the keys.",
        discussion: """
            Tests the database, Kafka and the keys, and prints what fails first. With --all it also prints every setting with its value and
            its source (passwords masked).
            Exit codes: 0 everything is available; 69 a dependency is not; 78 the configuration is invalid.

              hub check --config hub.yaml
              hub check --config hub.yaml --all
              hub check --explain             every setting with its names, accepted values, default and meaning
            """)

    @Flag(help: "Print every setting with its value and its source, too.")
    var all = false

    @Flag(help: "Print an explanation of every setting, and test nothing.")
    var explain = false

    @Flag(help: ArgumentHelp("Print the table of settings for docs/reference/operations.md.", visibility: .hidden))
    var markdown = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        if markdown {
            Console.print(Setting.markdownTable)
            return
        }
        if explain {
            for setting in Setting.all { Console.print(setting.explanation) }
            return
        }
        try work { () throws(CommandFailure) in
            let effective = try options.load()
            defer {
                if all { for line in effective.lines { Console.print(line) } }
            }
            for warning in effective.warnings { Console.error("hub: \(warning)") }
            if effective.configuration.embedded {
                Console.print("embedded: the hub runs its own database and broker and has its own keys")
                return
            }
            let findings = DependencyCheck(effective.configuration).run()
            for grade in DependencyCheck.Finding.Grade.allCases {
                for finding in findings where finding.grade == grade { Console.print(mark(of: grade) + finding.line) }
            }
            do throws(ConfigurationRefusal) { try effective.require(.serve) } catch { throw CommandFailure(error) }
            if findings.contains(where: { $0.grade == .bad }) {
                throw CommandFailure(.unavailable, "not everything that the hub needs is available: see FAIL above")
            }
        }
    }

    private func mark(of grade: DependencyCheck.Finding.Grade) -> String {
        switch grade {
        case .bad: "FAIL "
        case .warning: "warn "
        case .good: "ok   "
        }
    }
}
