import ArgumentParser
import Configuration
import HubClient
import Linux
import Rules

struct RulesTryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try",
        abstract: "See what rules would have made of changes that Kafka has, beside the rules in use.",
        discussion: """
            Reads a range of the topics of rules.topics with a client of its own: nothing is sent, stored or committed, and a running hub notices
            nothing. Tells for each rule what it and the live one make, who would get more and who less, which columns newly leave the
            hub, the busiest hour of one recipient, the ten who get the most, and which records and rules fail.

            A bound is a time (2026-11-30T08:00:00Z, or a day), a duration ago (2h), an offset of each partition, `beginning` or `end`.

              hub rules try new.yaml --from 24h --config hub.yaml
              hub rules try new.yaml --from 2026-11-30 --to 2026-12-01 --against live.yaml --json
              hub rules try new.yaml --from 7d --most-per-person-hour 20 --most-growth 50 --new-columns refuse --failures refuse

            Exit codes: 0 within the limits; 1 beyond one, with the reason; 64 no record lies in the range, or a flag is wrong; 69 Kafka is
            unreachable, or a topic does not exist; 78 a rules file has a fault.
            """)

    enum Answer: String, ExpressibleByArgument, CaseIterable { case report, refuse }

    @Argument(help: "The rules to try.") var file: String

    @Option(help: ArgumentHelp("Where the range begins.", valueName: "bound")) var from: String

    @Option(help: ArgumentHelp("Where the range ends; what is exactly there does not belong to it.", valueName: "bound")) var to = "end"

    @Option(help: ArgumentHelp("The rules in use. (default: rules.file)", valueName: "file")) var against: String?

    @Option(name: .customLong("topic"), help: ArgumentHelp("Instead of rules.topics; may be given several times.", valueName: "topic"))
    var topics: [String] = []

    @Option(help: ArgumentHelp("Most records that are read, of all partitions together.", valueName: "number")) var limit = 1_000_000

    @Option(help: ArgumentHelp("Refuse when one person would get more entries in one hour.", valueName: "number"))
    var mostPerPersonHour: Int?

    @Option(
        help: ArgumentHelp(
            "Refuse when there would be more entries than by the live rules, by so many percent of these.", valueName: "percent"))
    var mostGrowth: Int?

    @Option(help: "Columns that newly leave: report or refuse.") var newColumns = Answer.report

    @Option(help: "Rules that fail for more records than the live ones: report or refuse.") var failures = Answer.report

    @Flag(help: "Print one JSON object.") var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard (1...100_000_000).contains(limit) else { throw CommandFailure(.usage, "--limit \(limit): expected 1 to 100000000") }
            for (flag, value) in [("--most-per-person-hour", mostPerPersonHour), ("--most-growth", mostGrowth)] {
                if let value, value < 0 { throw CommandFailure(.usage, "\(flag) \(value): expected 0 or more") }
            }
            let configuration = try options.load().configuration
            var order = RulesTrial.Order(candidate: file, live: against ?? configuration.rules.file)
            order.most = limit
            order.limits.perPersonAndHour = mostPerPersonHour
            order.limits.growthPercent = mostGrowth
            order.limits.refusesNewColumns = newColumns == .refuse
            order.limits.refusesFailures = failures == .refuse
            let range = try ChangeRange(configuration, topics: topics, from: from, to: to, within: Self.silence)
            let trial = try RulesTrial(order, of: range, within: Self.silence)
            for line in json ? [trial.json] : trial.lines { Console.print(line) }
            let breaches = trial.breaches
            guard breaches.isEmpty else { throw CommandFailure(.failed, lines: breaches.map { "refused: \($0)" }) }
        }
    }

    /// How long Kafka may be silent before a command gives up.
    static let silence: Duration = .seconds(15)
}
