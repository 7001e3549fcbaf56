package import Configuration
import Intake
import JSON
import Kafka
import Messaging
import Pacing
import Rules
import Store

/// `hub rules replay`: sends the events of one rule that an outage or a missing rule left out. They go to the hub's own topic with the identities that
/// the intake would have given them, so a hub that has stored one already recognizes it.
package struct RulesReplay {
    package struct Order {
        package var file: String
        package var rule: String
        package var isDryRun = false
        /// Most events that are sent.
        package var mostEvents = 1_000
        /// Most records that are read.
        package var mostRecords = 1_000_000

        package init(file: String, rule: String) {
            self.file = file
            self.rule = rule
        }
    }

    /// Why an event of the range is not sent.
    struct Sorted: Equatable {
        var toSend: [RuleReplay.Event] = []
        var expired = 0
        var stored = 0
        var overtaken = 0
        var present = 0
        var replaced = 0
        /// The hub's decoder refuses the event: what would be a dead letter.
        var refused: [String] = []
    }

    private let order: Order
    private let configuration: Configuration
    private let database: String
    private let range: ChangeRange
    private let topic: String
    private let rules: RuleSet
    private static let chunk = 500

    package init(
        _ order: Order, _ configuration: Configuration, database: String, of range: ChangeRange
    ) throws(CommandFailure) {
        self.order = order
        self.configuration = configuration
        self.database = database
        self.range = range
        rules = try RulesTrial.rules(order.file)
        guard rules.rules.contains(where: { $0.name == order.rule }) else {
            let names = rules.rules.map(\.name).sorted().prefix(20).joined(separator: ", ")
            throw CommandFailure(.usage, "\(order.file) has no rule \(order.rule); there are: \(names)")
        }
        guard let topic = configuration.kafka.topics.first(where: { !$0.hasPrefix("^") }) else {
            throw CommandFailure(.usage, "kafka.topics names no topic, only patterns: name one, as in --set kafka.topics=hub.events")
        }
        self.topic = topic
    }

    /// Reads, asks the database, and sends unless it is a dry run.
    /// - Parameter show: gets each line as soon as it is known.
    package func run(within limit: Duration, _ show: (String) -> Void) throws(CommandFailure) {
        try refuseOlderHubs()
        let reader = try range.reader(within: limit)
        let plan = try range.plan(reader)
        for note in plan.notes { show("note: \(note)") }
        if let note = noteOfOtherRules { show("note: \(note)") }
        var reading = ReplayReading(plan, range, reader, rules: rules, rule: order.rule, mostRecords: order.mostRecords)
        try reading.readOn()
        let replay = reading.replay
        show(
            "\(reading.inRange) records of \(plan.topics.joined(separator: ", ")) in the range, and \(reading.after) after it, to know what became of the rows"
        )
        var sorted = Self.sorted(replay.events, now: range.now)
        let unexpired = sorted.toSend
        sorted.toSend = []
        for start in stride(from: 0, to: unexpired.count, by: Self.chunk) {
            try ask(Array(unexpired[start..<min(start + Self.chunk, unexpired.count)]), &sorted)
        }
        for line in Self.summary(replay, sorted) { show(line) }
        for event in sorted.toSend.prefix(20) {
            let targets = Self.drafts(of: event).map(\.channel.storedName)
            let others = targets.count > 3 ? " and \(targets.count - 3) more" : ""
            show(
                "  \(event.row.isEmpty ? "a row without a key" : event.row) to \(targets.prefix(3).joined(separator: ", "))\(others): change of \(event.position.time.rfc3339), \(event.record.topic), partition \(event.record.partition), offset \(event.record.offset)"
            )
        }
        if sorted.toSend.count > 20 { show("  … and \(sorted.toSend.count - 20) more") }
        guard !order.isDryRun, !sorted.toSend.isEmpty else { return }
        guard sorted.toSend.count <= order.mostEvents else {
            throw CommandFailure(.failed, "nothing was sent: \(sorted.toSend.count) events are more than --most \(order.mostEvents)")
        }
        try send(sorted, &reading, show)
    }

    /// A hub that does not know `hubrow` would store the entries without their rows, and never take them back.
    private func refuseOlderHubs() throws(CommandFailure) {
        let nodes: [NodeList.Node]
        do throws(MigrationError) { nodes = try NodeList.read(database) } catch { throw CommandFailure(.unavailable, "\(error)") }
        let older = nodes.filter { $0.isHere && ($0.schema ?? 0) < Self.schemaWithRows }.map(\.name)
        guard older.isEmpty else {
            throw CommandFailure(
                .failed,
                "these hubs are of a version that would not keep the rows of the entries: \(older.joined(separator: ", ")); update them first"
            )
        }
    }

    static let schemaWithRows = 15

    /// The rules in use take the entries back only if they have the rule.
    private var noteOfOtherRules: String? {
        guard let path = configuration.rules.file else { return "rules.file is not set, so it is not known whether hubs have the rule" }
        guard let live = try? RulesFile(reading: path).rules else {
            return "\(path) cannot be read, so it is not known whether hubs have the rule"
        }
        guard !live.rules.contains(where: { $0.name == order.rule }) else { return nil }
        return "\(path) has no rule \(order.rule): its entries are taken back only when their rows are deleted"
    }

    static func sorted(_ events: [RuleReplay.Event], now: Int64) -> Sorted {
        var sorted = Sorted()
        for event in events {
            if let expiry = event.expiresAt, expiry <= now {
                sorted.expired += 1
                continue
            }
            switch decoded(event) {
            case .entries, .partly: sorted.toSend.append(event)
            case .rejected(let rejection): sorted.refused.append(rejection.detail)
            case .discard, .retracting: sorted.refused.append("the event makes no entry")
            }
        }
        return sorted
    }

    /// As a hub will read it.
    private static func decoded(_ event: RuleReplay.Event) -> Decoded {
        EventDecoder().decode(
            EventRecord(
                topic: "", partition: 0, offset: 0, value: event.cloudEvent,
                headers: [EventRecord.Header("content-type", Array(contentType.utf8))]))
    }

    private static let contentType = "application/cloudevents+json"

    private static func drafts(of event: RuleReplay.Event) -> [EntryDraft] {
        switch decoded(event) {
        case .entries(let drafts), .partly(let drafts, _): drafts
        case .rejected, .discard, .retracting: []
        }
    }

    private func ask(_ events: [RuleReplay.Event], _ sorted: inout Sorted) throws(CommandFailure) {
        let asked = events.map { event in
            let drafts = Self.drafts(of: event)
            return ReplayCheck.Event(
                source: event.source, id: event.id, row: event.row, rule: event.rule, position: event.position,
                channels: drafts.map(\.channel), collapse: drafts.first?.collapse)
        }
        let findings: [ReplayCheck.Finding]
        do throws(MigrationError) {
            findings = try ReplayCheck.look(database, asked)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        for (event, finding) in zip(events, findings) {
            switch finding {
            case .missing: sorted.toSend.append(event)
            case .stored: sorted.stored += 1
            case .overtaken: sorted.overtaken += 1
            case .present: sorted.present += 1
            case .replaced: sorted.replaced += 1
            }
        }
    }

    static func summary(_ replay: RuleReplay, _ sorted: Sorted) -> [String] {
        var lines = ["rule \(replay.rule) made \(replay.made) events in the range, of which \(sorted.toSend.count) are missing"]
        let reasons = [
            (sorted.stored, "are stored, or were and were taken back"),
            (replay.ended, "are of rows that have left the state or were deleted"),
            (replay.replaced, "were replaced by a later event of the row"),
            (replay.uncertain, "are of rows for whose later change the rule failed or was undecided"),
            (sorted.overtaken, "are older than a change of the row that had an effect"),
            (sorted.present, "are of rows that have another entry of the rule"),
            (sorted.replaced, "would replace newer entries with their collapse keys"), (sorted.expired, "have expired"),
        ]
        lines += reasons.filter { $0.0 > 0 }.map { "  \($0.0) \($0.1)" }
        if !sorted.refused.isEmpty { lines.append("  \(sorted.refused.count) would be dead letters; such as: \(sorted.refused[0])") }
        if replay.failures.count > 0 {
            lines.append("  the rule failed for \(replay.failures.count) changes; such as: \(replay.failures.example)")
        }
        if replay.undecided > 0 { lines.append("  the rule was undecided for \(replay.undecided) changes") }
        if replay.repeated > 0 { lines.append("  \(replay.repeated) changes were sent again by the connector, and count once") }
        return lines
    }

    // MARK: Sending

    private func send(_ sorted: Sorted, _ reading: inout ReplayReading, _ show: (String) -> Void) throws(CommandFailure) {
        var (sent, late) = (0, 0)
        do throws(KafkaError) {
            var producing = ProducerConfiguration(brokers: range.brokers)
            producing.deliveryTimeout = .seconds(20)
            producing.properties = range.properties
            let producer = try Producer(producing)
            for start in stride(from: 0, to: sorted.toSend.count, by: Self.chunk) {
                let chunk = Array(sorted.toSend[start..<min(start + Self.chunk, sorted.toSend.count)])
                // What hubs have stored meanwhile is left out, and what the newest changes have ended.
                var again = Sorted()
                do throws(CommandFailure) {
                    try reading.readOn()
                    let left = Set(reading.replay.events.map(\.id))
                    try ask(chunk.filter { left.contains($0.id) }, &again)
                } catch {
                    throw KafkaError(kind: .other, name: "_FAIL", message: error.lines.joined(separator: "; "))
                }
                late += chunk.count - again.toSend.count
                try producer.write(again.toSend.map(record), within: .seconds(25))
                sent += again.toSend.count
            }
        } catch {
            throw CommandFailure(
                .unavailable,
                "\(error.message); at least \(sent) of \(sorted.toSend.count) events were sent. Run the command again: events that are stored are recognized"
            )
        }
        show("sent \(sent) events to \(topic)" + (late > 0 ? "; \(late) were no longer missing or true" : ""))
    }

    private func record(_ event: RuleReplay.Event) -> OutgoingRecord {
        OutgoingRecord(
            topic: topic, key: Array((event.row.isEmpty ? event.id : event.row).utf8), value: event.cloudEvent,
            headers: [RecordHeader("content-type", Self.contentType)])
    }
}
