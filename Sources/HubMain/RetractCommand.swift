import ArgumentParser
import Configuration
import HubClient
import Linux
import Store

struct RetractCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retract",
        abstract: "Take back what the platform told: one entry, an event, or a group.",
        discussion: """
            Whoever has the entry sees it go, and it no longer counts as unread. The retraction goes by way of Kafka, as that of a service does.
            With --entry, or with --id and without --to, the entries are looked up in the database, and the command waits until they are taken
            back. With --to only Kafka is needed.
            Exit codes: 0 taken back, or it was before; 1 there is no such entry; 69 Kafka, the database or every hub is away.

              hub retract --entry user:alice/17
              hub retract --id grade-4711                       in all channels that have it
              hub retract --source rule:review-open --id 4f1c… --to user:alice
              hub retract --group reviews --to user:alice
              hub retract --id grade-4711 --dry-run             only lists the entries
            """)

    @Option(help: ArgumentHelp("One entry, by its channel and number there.", valueName: "channel/seq")) var entry: String?
    @Option(help: ArgumentHelp("The id of the event.", valueName: "id")) var id: String?
    @Option(
        help: ArgumentHelp("The event's source, if it has one: that of a CloudEvent, or rule:NAME. (default: hub)", valueName: "source"))
    var source: String?
    @Option(help: ArgumentHelp("A group of entries; needs --to.", valueName: "group")) var group: String?
    @Option(
        name: .customLong("to"),
        help: ArgumentHelp("A recipient: user:ID, broadcast:NAME or conversation:UUID. May be given several times.", valueName: "target"))
    var recipients: [String] = []
    @Flag(help: "List the entries, and take nothing back.") var dryRun = false
    @Option(help: ArgumentHelp("How long to wait for Kafka and for the hubs.", valueName: "duration")) var within = "10s"
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard let limit = Duration(quantity: within), limit > .zero else {
                throw CommandFailure(.usage, "--within \(within): expected a duration such as 10s")
            }
            guard [entry, id, group].compactMap({ $0 }).count == 1 else {
                throw CommandFailure(.usage, "expected one of --entry, --id and --group")
            }
            guard source == nil || id != nil else { throw CommandFailure(.usage, "--source belongs to --id") }
            guard recipients.isEmpty || entry == nil else { throw CommandFailure(.usage, "--entry names its channel: leave --to out") }
            let (kafka, origin) = try options.kafka()
            let publication = try EventPublication(kafka, from: origin)
            guard recipients.isEmpty else { return try publish(publication, within: limit) }
            let retraction = EntryRetraction(database: try options.databaseURL(), publication: publication)
            let entries: [EntryLookup.Found]
            if let entry {
                entries = try retraction.entry(entry)
            } else if let id {
                entries = try retraction.entries(source: source ?? "hub", id: id)
            } else {
                throw CommandFailure(.usage, "--group needs --to: a group is one of a channel")
            }
            for entry in entries where dryRun { Console.print(entry.line) }
            guard !dryRun else { return }
            for line in try retraction.retract(entries, within: limit) { Console.print(line) }
        }
    }

    private func publish(_ publication: EventPublication, within limit: Duration) throws(CommandFailure) {
        guard !dryRun else { throw CommandFailure(.usage, "--dry-run looks into the database: leave --to out") }
        var event = EventDraft(id: try EventPublication.makeID(), type: "retraction", recipients: recipients, title: nil)
        if let group { event.retraction = .group(group) } else if let id { event.retraction = .event(id: id, source: source) }
        Console.print(try publication.publish(event, within: limit))
    }
}
