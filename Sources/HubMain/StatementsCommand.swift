import ArgumentParser
import Hub
import Linux
import Store

struct StatementsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statements",
        abstract: "Print the hub's SQL statements, for benchmarks that run them without a hub.",
        shouldDisplay: false)

    func run() { Console.print(StatementListing.text) }
}
