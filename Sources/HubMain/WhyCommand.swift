import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux
import Rules
import Store

struct WhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Tell where an entry came from, who has it, and what became of it.",
        discussion: """
            Tells for each channel that has the entry: the rule (as a sentence, when the rules file is known), the row of the platform's database,
            the record of Kafka, when it was stored, whether it was delivered, seen and read, and whether and by what it was taken back. It says
            what the database does not know. Titles, texts and data are not shown.

            ENTRY is the id that clients see. Looking for it in all channels reads the whole table of entries: name the channel or the user where
            they are known. A channel and a number name one entry at once.

              hub why 5f0c2ab8 --user alice
              hub why --channel inbox:alice --seq 42 --language fr
              hub why 5f0c2ab8 --json

            Exit codes: 1 there is no such entry, or the search took too long; 69 the database is unreachable.
            """)

    @Argument(help: ArgumentHelp("The entry's id.", valueName: "entry"))
    var entry: String?

    @Option(help: ArgumentHelp("Only in this channel: inbox:USER, broadcast:NAME or conversation:UUID.", valueName: "channel"))
    var channel: String?

    @Option(help: ArgumentHelp("The entry's number in the channel.", valueName: "number"))
    var seq: UInt64?

    @Option(
        help: ArgumentHelp("Only in the inbox of this user; with --channel: of those who have the entry, only this one.", valueName: "user")
    )
    var user: String?

    @Option(help: ArgumentHelp("The rules file. (default: rules.file)", valueName: "file"))
    var rules: String?

    @Option(help: "The language of the answer: en or fr.", transform: RulesCheckCommand.language)
    var language = RuleLanguage.english

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: ArgumentHelp("Most entries, and most people of each, that are told one by one: 1 to 1000.", valueName: "number"))
    var limit = 20

    @Option(help: ArgumentHelp("How long the search may take.", valueName: "duration"))
    var within = "30s"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard entry != nil || seq != nil else { throw CommandFailure(.usage, "expected the id of an entry, or --channel and --seq") }
            guard (1...1_000).contains(limit) else { throw CommandFailure(.usage, "--limit \(limit): expected 1 to 1000") }
            guard seq == nil || channel != nil || user != nil else { throw CommandFailure(.usage, "--seq needs --channel or --user") }
            let duration = try DrainCommand.duration(within, of: "--within")
            guard duration >= .seconds(1) else { throw CommandFailure(.usage, "--within \(within): expected at least 1s") }
            var question = EntryInquiry.Question()
            (question.id, question.seq, question.user, question.most) = (entry, seq, user, limit)
            question.channel = channel ?? user.map { "inbox:" + $0 }
            let effective = try options.load()
            let report = try WhyReport(
                asking: question, of: options.databaseURL(), rules: rules ?? effective.configuration.rules.file,
                isFileNamed: rules != nil, language: language, within: duration)
            for line in json ? [report.json] : report.lines { Console.print(line) }
        }
    }
}
