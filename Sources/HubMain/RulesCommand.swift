import ArgumentParser
import HubClient
import Linux
import Rules

struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Check, try and replay the rules over changes of the platform's tables.",
        subcommands: [RulesCheckCommand.self, RulesTryCommand.self, RulesReplayCommand.self])
}

struct RulesCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a rules file, and tell what each rule does.",
        discussion: """
            Prints each rule as a sentence, and the columns whose values leave the hub. Every fault is reported with its line,
            and then the exit status is 78. A running hub takes a changed file by itself, and refuses one that this command refuses.

              hub rules check /etc/hub/rules.yaml
            """)

    @Argument(help: "The rules file.") var file: String
    @Option(help: "The language of the sentences: en or fr.", transform: Self.language) var language = RuleLanguage.english

    static func language(_ text: String) throws -> RuleLanguage {
        guard let language = RuleLanguage(rawValue: text) else { throw ValidationError("expected en or fr, got \(text)") }
        return language
    }

    func run() throws {
        try work { () throws(CommandFailure) in
            for line in try RulesListing(path: file, language: language).lines { Console.print(line) }
        }
    }
}
