import JSON
import Kafka

/// The record in the dead-letter topic for a record that could not become entries.
///
/// Key, value and headers are the original's (a null stays null), so that a corrected consumer can read it again; the headers
/// under `hub.dlq.` say why and where it was:
///
/// | header | |
/// |---|---|
/// | `hub.dlq.reason` | one of a fixed set, such as `not_json`, `too_large`, `refused` |
/// | `hub.dlq.detail` | for people; may be missing |
/// | `hub.dlq.targets` | a JSON array of the targets that got nothing, when the others got their entries |
/// | `hub.dlq.topic`, `.partition`, `.offset` | the position of the record |
/// | `hub.dlq.timestamp` | the record's own, milliseconds since 1970; missing when it has none |
/// | `hub.dlq.attempts` | how often it was tried |
/// | `hub.dlq.truncated` | only when the topic would not take the whole record: the value's true size in bytes |
enum DeadLetter {
    static let prefix = "hub.dlq."
    static let truncatedValueBytes = 64 << 10
    static let bareKeyBytes = 1 << 10
    static let detailBytes = 1_000
    static let targetsBytes = 16 << 10

    static func record(_ letter: Letter, topic: String) -> OutgoingRecord {
        let original = letter.record
        var outgoing = OutgoingRecord(topic: topic, key: original.key, value: original.value)
        // A dead letter that was read again and failed again names only its last failure.
        outgoing.headers = original.headers.filter { !$0.name.hasPrefix(prefix) }
        switch letter.form {
        case .whole: break
        case .truncated: outgoing.value = original.value.map { Array($0.prefix(truncatedValueBytes)) }
        case .bare:
            outgoing.value = nil
            outgoing.headers = []
            outgoing.key = original.key.map { Array($0.prefix(bareKeyBytes)) }
        }
        func add(_ name: String, _ text: String) { outgoing.headers.append(RecordHeader(prefix + name, text)) }
        add("reason", letter.cause.reason)
        if let detail = letter.cause.detail { add("detail", String(decoding: detail.utf8.prefix(detailBytes), as: UTF8.self)) }
        if !letter.cause.targets.isEmpty { add("targets", list(letter.cause.targets)) }
        add("topic", original.topic)
        add("partition", String(original.partition))
        add("offset", String(original.offset))
        if let timestamp = original.timestamp { add("timestamp", String(timestamp)) }
        add("attempts", String(letter.attempts))
        if letter.form > .whole { add("truncated", String(original.value?.count ?? 0)) }
        return outgoing
    }

    /// As many targets as fit. The last element is `…` when some do not fit.
    private static func list(_ targets: [String]) -> String {
        var values: [JSONValue] = []
        var bytes = 0
        for target in targets {
            bytes += target.utf8.count
            guard bytes <= targetsBytes else {
                values.append("…")
                break
            }
            values.append(.string(target))
        }
        return JSONValue.array(values).text
    }
}
