import ChangeCapture
import JSON
import Kafka
import Messaging

/// Makes events of the hub of the records of the platform's realtime system. The event goes through the decoder of events, which checks
/// targets, names and limits. What the rows contain (`payload`) stays in the hub, except for the columns that the operator names.
struct PlatformEvents: Equatable, Sendable {
    /// The columns of `payload.after` that leave as `data`.
    var payloadColumns: [String] = []

    struct Event: Equatable {
        /// Together with `id` it identifies the event.
        let source: String
        let id: String
        let json: [UInt8]
        /// The targets for which there is no channel, as `TYPE target`.
        let strangers: [String]
        let hasTargets: Bool
    }

    /// The source of the planned records: `metadata.id` is unique over all emitters.
    static let source = "platform"

    func event(of record: PlatformRecord) -> Event {
        var targets: [String] = []
        var strangers: [String] = []
        for audience in record.audiences {
            for target in audience.targets {
                if let channel = Self.channel(audience.type, target) {
                    targets.append(channel)
                } else {
                    strangers.append("\(audience.type) \(target)")
                }
            }
        }
        var event = JSONObject()
        event["type"] = .string(Self.type(of: record))
        event["to"] = .array(targets.map { .string($0) })
        event["priority"] = record.priority.map { .string(Self.priority($0)) }
        // The record says that something changed, and the page fetches what.
        event["form"] = "hint"
        event["group"] = record.topic.map { .string($0) }
        event["expiresAt"] = record.expiresAt.map { .number(JSONNumber($0 / 1_000)) }
        if record.retry?.requiresAck == true { event["receipt"] = .bool(true) }
        event["data"] = data(of: record)
        return Event(source: Self.source, id: record.id, json: event, strangers: strangers, hasTargets: !targets.isEmpty)
    }

    /// A notice has no id, so it is recognized as a record without one.
    func event(of notice: PlatformNotice, in record: KafkaRecord) -> Event {
        var event = JSONObject()
        event["type"] = .string(Self.type(of: notice.kind))
        event["to"] = .array(notice.audience.map { .string(Self.everybody($0) ?? "user:" + $0) })
        event["title"] = notice.header.map { .string($0) }
        event["body"] = notice.body.map { .string($0) }
        event["priority"] = .string(Self.priority(notice.priority.rawValue))
        event["data"] = notice.footer.map { ["footer": .string($0)] }
        let id = EventRecord(
            topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp, key: record.key,
            value: record.value
        ).derivedID
        return Event(source: "kafka:" + record.topic, id: id, json: event, strangers: [], hasTargets: !notice.audience.isEmpty)
    }

    // MARK: The mapping

    private static func everybody(_ target: String) -> String? { target == "*" ? "broadcast:system" : nil }

    /// Nil for an audience that the hub has no channels for. `*` is everybody only among users: all members of one kind have no channel.
    private static func channel(_ type: String, _ target: String) -> String? {
        switch type.uppercased() {
        case "USER": everybody(target) ?? "user:" + target
        case "STRUCTURE" where target != "*": "broadcast:institution:" + target
        case "FORMATION" where target != "*": "broadcast:formation:" + target
        default: nil
        }
    }

    /// `platform.review.update`. Only records of the type SYSTEM become entries of the kind `system`.
    private static func type(of record: PlatformRecord) -> String {
        let start =
            switch record.kind {
            case .system: "system.platform"
            case .notification: "platform"
            case .realtime: "realtime"
            }
        return ([start] + [record.topic, record.operation?.lowercased()].compactMap { $0 }).joined(separator: ".")
    }

    private static func type(of kind: PlatformNotice.Kind) -> String {
        switch kind {
        case .system: "system.platform.notice"
        case .ui: "realtime.notice"
        case .user: "platform.notice"
        }
    }

    /// Another word stays as it is, and the decoder refuses it.
    private static func priority(_ text: String) -> String {
        switch text.uppercased() {
        case "LOW": "low"
        case "MEDIUM", "NORMAL": "normal"
        case "HIGH": "high"
        case "CRITICAL": "critical"
        default: text
        }
    }

    private func data(of record: PlatformRecord) -> JSONValue? {
        guard !payloadColumns.isEmpty, let row = record.after.flatMap({ try? JSONValue.parse($0) })?.object else { return nil }
        var data = JSONObject()
        for column in payloadColumns { data[column] = row[column] }
        return data.isEmpty ? nil : .object(data)
    }
}

extension PlatformEvents.Event {
    fileprivate init(source: String, id: String, json: JSONObject, strangers: [String], hasTargets: Bool) {
        var bytes: [UInt8] = []
        json.write(into: &bytes)
        self.init(source: source, id: id, json: bytes, strangers: strangers, hasTargets: hasTargets)
    }

    /// - Returns: the judgement of the record that the event was made of.
    func judged(_ record: KafkaRecord, by decoder: EventDecoder) -> JudgedRecord {
        let stranger = strangers.first.map { first in
            DeathCause(
                reason: "unknown_audience",
                detail: "routing.audience: expected USER, STRUCTURE or FORMATION with its targets, got \(first.shortenedToName)"
                    + (strangers.count > 1 ? ", and \(strangers.count - 1) more" : ""),
                targets: hasTargets ? strangers : [])
        }
        if !hasTargets, let stranger { return JudgedRecord(record: record, judgement: .dead(stranger)) }
        var judged = JudgedRecord(record, decoder.decode(json, source: source, id: id))
        guard let stranger else { return judged }
        switch judged.judgement {
        case .entries(let drafts): judged.judgement = .partly(drafts, stranger)
        case .partly(let drafts, var cause):
            cause.targets += strangers
            judged.judgement = .partly(drafts, cause)
        case .dead, .discarded, .settled: break
        }
        return judged
    }
}

extension String {
    /// The beginning of a text from a record, for a detail.
    fileprivate var shortenedToName: String { String(prefix(64)) }
}
