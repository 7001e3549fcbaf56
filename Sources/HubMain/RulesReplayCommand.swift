import ArgumentParser
import Configuration
import HubClient
import Linux

struct RulesReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Send what a rule did not send: because of an outage, or because it was missing.",
        discussion: """
            Reads the changes from the range on to the newest one, and finds the events that the rule makes of the range and that are still true: their
            rows have not left the state since. What the database has, or had and took back, is left out. The rest is written to the first topic
            of kafka.topics, with the identities that the hub would have given it: an event that is stored meanwhile, or a second run, changes
            nothing. A later change of the row takes the entry back as usual.

            It cannot know of changes that Kafka does not have any more, and of changes of the last seconds before an event is stored.

              hub rules replay rules.yaml --rule review-requested --from 2026-11-30T08:00:00Z --to 2026-11-30T11:00:00Z --dry-run

            Exit codes: 0 done, also when nothing is missing; 1 nothing was sent, with the reason; 64 no record lies in the range, or a flag is
            wrong; 69 Kafka or the database is unreachable; 78 the rules file has a fault.
            """)

    @Argument(help: "The rules file.") var file: String

    @Option(help: ArgumentHelp("The rule by its name.", valueName: "name")) var rule: String

    @Option(help: ArgumentHelp("Where the range begins, as for `hub rules try`.", valueName: "bound")) var from: String

    @Option(help: ArgumentHelp("Where the range ends; what is exactly there does not belong to it.", valueName: "bound")) var to: String

    @Option(name: .customLong("topic"), help: ArgumentHelp("Instead of rules.topics; may be given several times.", valueName: "topic"))
    var topics: [String] = []

    @Flag(help: "Tell what would be sent, and send nothing.") var dryRun = false

    @Option(help: ArgumentHelp("Send nothing when it would be more events.", valueName: "number")) var most = 1_000

    @Option(help: ArgumentHelp("Most records that are read, from the range to the newest one.", valueName: "number")) var limit = 1_000_000

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard (1...100_000_000).contains(limit) else { throw CommandFailure(.usage, "--limit \(limit): expected 1 to 100000000") }
            guard most >= 1 else { throw CommandFailure(.usage, "--most \(most): expected 1 or more") }
            let configuration = try options.load().configuration
            var order = RulesReplay.Order(file: file, rule: rule)
            (order.isDryRun, order.mostEvents, order.mostRecords) = (dryRun, most, limit)
            let range = try ChangeRange(configuration, topics: topics, from: from, to: to, within: RulesTryCommand.silence)
            let replay = try RulesReplay(order, configuration, database: options.databaseURL(), of: range)
            try replay.run(within: RulesTryCommand.silence) { Console.print($0) }
        }
    }
}
