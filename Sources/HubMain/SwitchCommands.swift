import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux

private func inquiry(_ options: ConfigurationOptions) throws(CommandFailure) -> SwitchInquiry {
    SwitchInquiry(try options.databaseURL(), person: "\(Machine.userName)@\(Machine.hostName)")
}

struct OffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "off",
        abstract: "Switch a feature off, for all or for some.",
        discussion: """
            All hubs on the database obey within two seconds, also while Kafka is away, and after a restart. Clients are told. What was stored stays
            readable, and nothing that is stored meanwhile is lost. Features:

              system-notifications  entries of broadcasts: kept, and pushed when it is on again
              user-notifications    entries of inboxes: the same
              direct-messages       messages in conversations of two: refused (off), or stored and pushed later (store, slow)
              group-messages        messages in conversations of more
              signals               typing
              presence              who is there
              realtime              all sessions: they end, and new ones are refused; requests with a token are still answered

            Of several switches the one with the narrowest scope counts: user, KIND:ID, category, institution, system.

              hub off direct-messages --why "exam week" --until 2026-12-18T18:00:00+01:00
              hub off realtime --for institution:univ-lyon --for-time 2h --why "maintenance" --preview
              hub off user-notifications --mode slow --every 30s --why "load"
            """)

    @Argument(help: ArgumentHelp("The feature.", valueName: "feature"))
    var feature: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("For whom: system, institution:ID, category:ID, user:ID or another KIND:ID.", valueName: "scope"))
    var scope = "system"

    @Option(help: "off, store (kept, not pushed) or slow (pushed together).")
    var mode = "off"

    @Option(help: ArgumentHelp("With slow: the time between two pushes, from 5s to 1h. (default: 30s)", valueName: "duration"))
    var every: String?

    @Option(help: ArgumentHelp("When it is on again by itself.", valueName: "time"))
    var until: String?

    @Option(help: ArgumentHelp("The same, from now on, such as 2h.", valueName: "duration"))
    var forTime: String?

    @Option(help: ArgumentHelp("The reason, for hub.audit.", valueName: "text"))
    var why: String

    @Flag(help: "Change nothing; tell how many people and sessions it would concern now.")
    var preview = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let order = try SwitchOrder(
                feature: feature, scope: scope, mode: mode, every: every, until: until, forTime: forTime, why: why)
            let inquiry = try inquiry(options)
            guard preview else { return Console.print(try inquiry.set(order)) }
            for line in try inquiry.preview(order, within: .seconds(5)) { Console.print(line) }
        }
    }
}

struct OnCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "on",
        abstract: "Switch a feature on again.",
        discussion: """
            Takes the switch of this scope away. If a switch with a wider scope would then count, the scope becomes an exception from it.

              hub on direct-messages
              hub on direct-messages --for category:STAFF --why "staff may write"
            """)

    @Argument(help: ArgumentHelp("The feature.", valueName: "feature"))
    var feature: String

    @Option(name: .customLong("for"), help: ArgumentHelp("The scope, as in hub off.", valueName: "scope"))
    var scope = "system"

    @Option(help: ArgumentHelp("The reason, for hub.audit.", valueName: "text"))
    var why = "on again"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in Console.print(try inquiry(options).remove(feature, for: scope, why: why)) }
    }
}

struct SwitchesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switches",
        abstract: "List what is switched off, for whom, until when, by whom and why.",
        discussion: """
            The table hub.audit has what was switched before.

              hub switches
            """)

    @Flag(help: "Print a JSON object for each.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            for line in try inquiry(options).lines(asJSON: json) { Console.print(line) }
        }
    }
}
