import JSON
import Messaging

/// Kafka records. The lines before the first empty line are headers (`name:value`), the rest is the value; without one it is a tombstone.
enum EventFuzz {
    static func run(_ input: [UInt8]) {
        let record = record(input)
        let decoded = EventDecoder().decode(record)
        precondition(EventDecoder().decode(record) == decoded, "a record means two things")
        switch decoded {
        case .discard(.tombstone): precondition(record.value == nil)
        case .rejected(let rejection): check(rejection)
        case .partly(let drafts, let rejection):
            check(drafts)
            check(rejection)
        case .entries(let drafts): check(drafts)
        case .retracting(let drafts, let retractions, let rejection):
            for draft in drafts { check(draft) }
            precondition((1...EventLimits().retractions).contains(retractions.count))
            for retraction in retractions { precondition((0...drafts.count).contains(retraction.after) && retraction.channel != nil) }
            if let rejection { check(rejection) }
        }
    }

    private static func check(_ rejection: EventRejection) {
        precondition(rejection.detail.utf8.count < 1_000, "the refusal quotes too much")
    }

    private static func check(_ drafts: [EntryDraft]) {
        precondition(!drafts.isEmpty)
        for draft in drafts { check(draft) }
    }

    private static func check(_ draft: EntryDraft) {
        var frame: [UInt8] = []
        ServerMessage.entry(Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft), into: &frame)
        guard let entry = try? JSONValue.parse(frame, limits: JSONLimits(refusesNUL: true)) else {
            preconditionFailure("the entry is not JSON, or holds U+0000")
        }
        precondition(!frame.contains(UInt8(ascii: "\n")), "an entry is more than one line")
        precondition(entry["id"]?.string == draft.id && entry["event"]?.string == draft.eventType)
        precondition(draft.id.utf8.count <= EventLimits.nameBytes && draft.source.utf8.count <= EventLimits.sourceBytes)
        if let link = entry["link"]?.string { precondition(link.utf8.first == UInt8(ascii: "/") || link.lowercased().hasPrefix("http")) }
    }

    private static func record(_ input: [UInt8]) -> EventRecord {
        var record = EventRecord(topic: "t", partition: 0, offset: 1, value: nil)
        var rest = input[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if line.isEmpty {
                record.value = Array(rest)
                break
            }
            let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
            record.headers.append(EventRecord.Header(String(decoding: line[..<colon], as: UTF8.self), Array(line[colon...].dropFirst())))
        }
        return record
    }
}
