import ArgumentParser
import Configuration
import Embedded
import Hub
import HubClient
import Linux

/// More than twelve stored properties: one for each option of the command line.
struct PublishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publish one event to Kafka, as a platform service would.",
        discussion: """
            Publishes to the brokers of HUB_KAFKA_BROKERS or the configuration, else to those of the embedded hub in --data.
            Prints the event's position:
            {"id":"…","topic":"hub.events","partition":2,"offset":17}

              hub publish --to user:alice --type peer-review.requested --title "A review waits for you"
              hub publish --to broadcast:system --type maintenance --title "Back at noon" --priority high
              hub publish --to user:alice --to user:bob --type grade --title "New grade" --id grade-4711
              hub publish --to user:alice --to user:bob --retract grade-4711
            """)

    @Option(
        name: .customLong("to"),
        help: ArgumentHelp("A recipient: user:ID, broadcast:NAME or conversation:UUID. May be given several times.", valueName: "target"))
    var recipients: [String]

    @Option(help: ArgumentHelp("The event's type, such as peer-review.requested. Required without --retract.", valueName: "type"))
    var type: String?

    @Option(help: "The title: one line for the user. Required without --retract.")
    var title: String?

    @Option(help: ArgumentHelp("Take the entries of the event with this id back, in the inboxes and channels of --to.", valueName: "id"))
    var retract: String?

    @Option(help: ArgumentHelp("The source of the event to --retract, if it was a CloudEvent.", valueName: "source"))
    var retractSource: String?

    @Option(help: ArgumentHelp("Take the entries of this group back, in the inboxes and channels of --to.", valueName: "group"))
    var retractGroup: String?

    @Option(help: "More text for the user.")
    var body: String?

    @Option(help: "low, normal, high or critical.")
    var priority: String?

    @Option(help: "full: the entry has the content; hint: clients fetch the content from --link.")
    var form: String?

    @Option(help: "The subject of the event, such as activity:42.")
    var context: String?

    @Option(help: "The address that a click on the entry opens.")
    var link: String?

    @Option(help: "Clients show entries of the same group together.")
    var group: String?

    @Option(help: "A key: a later entry with the same key replaces an earlier one in clients.")
    var collapse: String?

    @Option(help: "The time after which the entry is no longer useful, such as 2026-12-24T18:00:00Z.")
    var expiresAt: String?

    // `--data` is the folder of the embedded hub.
    @Option(help: ArgumentHelp("Data for programs: any JSON value.", valueName: "json"))
    var eventData: String?

    @Flag(help: "Require a receipt: the hub records when each user gets and reads the entry.")
    var receipt = false

    @Option(help: "The event's id. Publishing the same id again changes nothing. (default: a random one)")
    var id: String?

    @Option(help: ArgumentHelp("How long to wait for the broker's acknowledgement.", valueName: "duration"))
    var within = "10s"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard let limit = Duration(quantity: within), limit > .zero else {
                throw CommandFailure(.usage, "--within \(within): expected a duration such as 10s")
            }
            let retraction = try retraction()
            let (kafka, origin) = try options.kafka()
            let id = if let id { id } else { try EventPublication.makeID() }
            var event = EventDraft(id: id, type: type ?? "retraction", recipients: recipients, title: title)
            event.retraction = retraction
            event.body = body
            event.priority = priority
            event.form = form
            event.context = context
            event.link = link
            event.group = group
            event.collapse = collapse
            event.expiresAt = expiresAt
            event.isReceiptRequired = receipt
            if let eventData { try event.setData(eventData) }
            Console.print(try EventPublication(kafka, from: origin).publish(event, within: limit))
        }
    }

    private func retraction() throws(CommandFailure) -> EventDraft.Retraction? {
        switch (retract, retractGroup) {
        case (let id?, nil): return .event(id: id, source: retractSource)
        case (nil, let group?) where retractSource == nil: return .group(group)
        case (nil, nil) where retractSource == nil:
            guard type != nil, title != nil else {
                throw CommandFailure(.usage, "expected --type and --title, or --retract, or --retract-group")
            }
            return nil
        case (.some, .some), (nil, _):
            throw CommandFailure(.usage, "expected --retract (and perhaps --retract-source) or --retract-group, not both")
        }
    }
}
