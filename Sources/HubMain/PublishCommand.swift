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
            Goes to the brokers of HUB_KAFKA_BROKERS or the configuration, else to those of the embedded hub in --data. Prints where it went:
            {"id":"…","topic":"hub.events","partition":2,"offset":17}

              hub publish --to user:alice --type peer-review.requested --title "A review waits for you"
              hub publish --to broadcast:system --type maintenance --title "Back at noon" --priority high
              hub publish --to user:alice --to user:bob --type grade --title "New grade" --id grade-4711
            """)

    @Option(
        name: .customLong("to"),
        help: ArgumentHelp("user:ID, broadcast:NAME or conversation:UUID. May be given several times.", valueName: "target"))
    var recipients: [String]

    @Option(help: ArgumentHelp("What happened, such as peer-review.requested.", valueName: "type"))
    var type: String

    @Option(help: "One line for the user.")
    var title: String

    @Option(help: "More text for the user.")
    var body: String?

    @Option(help: "low, normal, high or critical.")
    var priority: String?

    @Option(help: "full, or hint: clients fetch the content from --link.")
    var form: String?

    @Option(help: "What it is about, such as activity:42.")
    var context: String?

    @Option(help: "Where a click leads.")
    var link: String?

    @Option(help: "Entries of one group are shown together.")
    var group: String?

    @Option(help: "A later entry with the same key takes an earlier one's place.")
    var collapse: String?

    @Option(help: "When it is of no more use, such as 2026-12-24T18:00:00Z.")
    var expiresAt: String?

    // `--data` is the folder of the embedded hub.
    @Option(help: ArgumentHelp("The event's data, which programs read: any JSON value.", valueName: "json"))
    var eventData: String?

    @Flag(help: "A formal notice: every delivery and reading is kept on record.")
    var receipt = false

    @Option(help: "The event's id. Publishing the same id again changes nothing. (default: a random one)")
    var id: String?

    @Option(help: ArgumentHelp("How long to wait for the broker.", valueName: "duration"))
    var within = "10s"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard let limit = Duration(quantity: within), limit > .zero else {
                throw CommandFailure(.usage, "--within \(within): expected a duration such as 10s")
            }
            let configuration = try options.load().configuration
            var kafka = configuration.kafka
            if kafka.brokers.isEmpty {
                guard let facts = EmbeddedLocation(folder: configuration.data).facts else {
                    throw CommandFailure(
                        .unavailable, "no embedded hub runs in \(configuration.data), and kafka.brokers (HUB_KAFKA_BROKERS) is not set")
                }
                kafka.brokers = [facts.kafkaBrokers]
            }
            let id = if let id { id } else { try EventPublication.makeID() }
            var event = EventDraft(id: id, type: type, recipients: recipients, title: title)
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
            Console.print(try EventPublication(kafka).publish(event, within: limit))
        }
    }
}
