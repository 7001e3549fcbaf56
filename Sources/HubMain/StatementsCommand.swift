import ArgumentParser
import Hub
import Linux
import Store

struct StatementsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statements",
        abstract: "Print the SQL that the hub prepares, for benchmarks that run it without a hub.",
        shouldDisplay: false)

    func run() { Console.print(StatementListing.text) }
}
