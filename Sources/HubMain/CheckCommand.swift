import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Show the effective configuration and try everything the hub depends on.",
        discussion: """
            Prints every setting with its value and where it comes from (passwords masked), then tries the database, Kafka and the keys.
            Ends with 0 when the hub could start, 69 when something is not there, 78 when the configuration is refused.

              hub check --config hub.yaml
              hub check --explain             every setting: its names, what it accepts, its default, and what it means
            """)

    @Flag(help: "Explain every setting instead.")
    var explain = false

    @Flag(help: ArgumentHelp("The table of docs/reference/operations.md instead.", visibility: .hidden))
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
            for line in effective.lines { Console.print(line) }
            for warning in effective.warnings { Console.error("hub: \(warning)") }
            if effective.configuration.embedded {
                Console.print("embedded: database, broker and keys are the hub's own")
                return
            }
            var isGood = true
            for finding in DependencyCheck(effective.configuration).run() {
                Console.print("\(finding.isGood ? "ok  " : "FAIL") \(finding.line)")
                isGood = isGood && finding.isGood
            }
            do throws(ConfigurationRefusal) { try effective.require(.serve) } catch { throw CommandFailure(error) }
            if !isGood { throw CommandFailure(.unavailable, "the hub could not start") }
        }
    }
}
