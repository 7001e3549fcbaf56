internal import Bytes
internal import JSON

/// Decodes records to entry drafts. Records contain the hub's own JSON, or CloudEvents 1.0 with the same members in their data.
///
/// The decoder is pure: a record that the hub reads twice gives the same drafts, so (source, id) de-duplicates them.
public struct EventDecoder: Sendable {
    public let limits: EventLimits

    public init(limits: EventLimits = EventLimits()) { self.limits = limits }

    public func decode(_ record: EventRecord) -> Decoded {
        guard let value = record.value else { return .discard(.tombstone) }
        var drafts: [EntryDraft] = []
        var retractions: [Retraction] = []
        var rejections: [EventRejection] = []
        let origin = RecordOrigin(topic: record.topic, partition: record.partition, offset: record.offset)
        do throws(EventRejection) {
            guard value.count <= limits.recordBytes else {
                throw EventRejection(.tooLarge, "value: \(value.count) bytes; expected at most \(limits.recordBytes)")
            }
            try visitEvents(in: record, value) { index, count, event in
                var rejection: EventRejection?
                do throws(EventRejection) {
                    let fields = EventFields(event: try event(), record: origin, limits: limits)
                    if fields.retracts {
                        let made: [Retraction]
                        (made, rejection) = try fields.retractions(after: drafts.count)
                        retractions += made
                    } else {
                        let made: [EntryDraft]
                        (made, rejection) = try fields.drafts()
                        // Most records contain one event, and its drafts need no copy.
                        if drafts.isEmpty { drafts = made } else { drafts += made }
                    }
                } catch {
                    rejection = error
                }
                guard var rejection else { return }
                if count > 1 { rejection.detail = "event \(index): \(rejection.detail)" }
                rejections.append(rejection)
            }
        } catch {
            return .rejected(error)
        }
        guard retractions.isEmpty else {
            guard max(retractions.count, drafts.count) <= limits.retractions else {
                return .rejected(
                    EventRejection(
                        .tooManyRetractions,
                        "\(retractions.count) retractions and \(drafts.count) entries; expected at most \(limits.retractions) of each in a record"
                    ))
            }
            return .retracting(drafts, retractions, EventRejection(rejections))
        }
        guard let rejection = EventRejection(rejections) else { return .entries(drafts) }
        return drafts.isEmpty ? .rejected(rejection) : .partly(drafts, rejection)
    }

    /// Calls `visit` with the index of each event, the number of events and a closure that decodes the event.
    /// - Throws: a fault of the whole record. A faulty event of a batch does not stop the others.
    private func visitEvents(
        in record: EventRecord, _ bytes: [UInt8], _ visit: (Int, Int, () throws(EventRejection) -> Event) -> Void
    ) throws(EventRejection) {
        let headers = EventHeaders(record.headers)
        // The decoder parses the value at most once, and only for JSON formats.
        var parsed: EventMembers?
        func root() throws(EventRejection) -> EventMembers {
            if let parsed { return parsed }
            let document = try Self.parse(bytes)
            let root = EventMembers(of: document.root, in: document)
            parsed = root
            return root
        }

        switch try EventShape(headers, root) {
        case .own:
            let root = try root()
            visit(0, 1) { () throws(EventRejection) in try own(root, record, trace: TraceParent(headers["traceparent"])?.text) }
        case .structuredCloudEvent:
            let root = try root()
            visit(0, 1) { () throws(EventRejection) in try CloudEvent(structured: root, headers).event() }
        case .binaryCloudEvent:
            let data = bytes.isEmpty ? nil : try root()
            visit(0, 1) { () throws(EventRejection) in try CloudEvent(headers, data: data).event() }
        case .cloudEventBatch:
            let document = try root().document
            guard let batch = document.elements(of: document.root), !batch.isEmpty, batch.count <= limits.batch else {
                throw EventRejection(.emptyBatch, "expected an array of 1…\(limits.batch) events")
            }
            for (index, value) in batch.enumerated() {
                visit(index, batch.count) { () throws(EventRejection) in
                    try CloudEvent(structured: EventMembers(of: value, in: document), headers).event()
                }
            }
        case .debezium:
            throw EventRejection(.unsupportedShape, "this is a Debezium change event")
        case .foreign(let type):
            throw EventRejection(.unsupportedContentType, "content-type: \(type.shortened); expected JSON or a JSON CloudEvent")
        }
    }

    private static let jsonLimits = JSONLimits(maximumDepth: 32, refusesNUL: true)

    private static func parse(_ bytes: [UInt8]) throws(EventRejection) -> JSONDocument {
        do {
            return try JSONDocument(parsing: bytes, limits: jsonLimits)
        } catch {
            throw EventRejection(error.reason == .nul ? .nulCharacter : .notJSON, "value: \(error)")
        }
    }

    private func own(_ members: EventMembers, _ record: EventRecord, trace: String?) throws(EventRejection) -> Event {
        let type = try Self.type(of: members)
        guard members[.id] != nil else {
            return Event(
                source: "kafka:" + record.topic, id: record.derivedID, type: type, trace: trace, members: members, namesFrom: Self.ownSource
            )
        }
        guard let id = members.string(.id), Identifier.isAcceptable(id, maximumBytes: EventLimits.nameBytes) else {
            throw EventRejection(.badID, "id: expected a string of 1…\(EventLimits.nameBytes) bytes without control characters")
        }
        return Event(source: Self.ownSource, id: id, type: type, trace: trace, members: members, namesFrom: Self.ownSource)
    }

    private static func type(of members: EventMembers) throws(EventRejection) -> String {
        let kind = members.owner.kind
        guard kind == .object else { throw EventRejection(.notAnObject, "value: expected an object, got \(kind)") }
        guard members[.type] != nil || members[.retract] != nil else { throw EventRejection(.missingType, "type: missing") }
        guard let type = members[.type] == nil ? "retraction" : members.string(.type),
            Identifier.isAcceptable(type, maximumBytes: EventLimits.nameBytes)
        else {
            throw EventRejection(.badType, "type: expected a string of 1…\(EventLimits.nameBytes) bytes without control characters")
        }
        return type
    }

    /// Decodes an event in the hub's own JSON that another record contains or a rule has made. Its identity is given; a member `id` does not count.
    public func decode(_ json: [UInt8], source: String, id: String, from record: RecordOrigin? = nil) -> Decoded {
        do throws(EventRejection) {
            guard json.count <= limits.recordBytes else {
                throw EventRejection(.tooLarge, "event: \(json.count) bytes; expected at most \(limits.recordBytes)")
            }
            guard Identifier.isAcceptable(id, maximumBytes: EventLimits.nameBytes) else {
                throw EventRejection(.badID, "id: expected 1…\(EventLimits.nameBytes) bytes without control characters")
            }
            guard Identifier.isAcceptable(source, maximumBytes: EventLimits.sourceBytes) else {
                throw EventRejection(.badCloudEvent, "source: expected 1…\(EventLimits.sourceBytes) bytes without control characters")
            }
            let document = try Self.parse(json)
            let members = EventMembers(of: document.root, in: document)
            let event = Event(
                source: source, id: id, type: try Self.type(of: members), trace: nil, members: members, namesFrom: source)
            let fields = EventFields(event: event, record: record, limits: limits)
            if fields.retracts {
                let (retractions, rejection) = try fields.retractions(after: 0)
                return .retracting([], retractions, rejection)
            }
            let (drafts, rejection) = try fields.drafts()
            return rejection.map { .partly(drafts, $0) } ?? .entries(drafts)
        } catch {
            return .rejected(error)
        }
    }

    /// The source of events in the hub's own JSON that have an id.
    private static let ownSource = "hub"
}

/// One event, independent of the record's format.
struct Event {
    /// Together with `id` the de-duplication key.
    let source: String
    let id: String
    let type: String
    let trace: String?
    /// The members of the event itself, such as `to` and `title`.
    let members: EventMembers
    /// The source of the events that this one names by their id alone.
    let namesFrom: String
    /// Of an event that a rule made.
    var cause: Cause?
}

extension EventRejection {
    /// Combines rejections: the first one's reason, the details of the first three, and all targets. Nil for an empty array.
    fileprivate init?(_ rejections: [EventRejection]) {
        guard let first = rejections.first else { return nil }
        var details = rejections.prefix(3).map(\.detail)
        if rejections.count > details.count { details.append("and \(rejections.count - details.count) more events") }
        self.init(first.reason, details.joined(separator: "; "), targets: rejections.flatMap(\.targets))
    }
}

extension EventRecord {
    /// The id for a record that has none. It is stable when the hub reads the record again. The timestamp and the hash make it differ
    /// after a topic is recreated and its offsets restart at zero.
    public var derivedID: String {
        var hash = FNV1a()
        hash.combine(key)
        hash.combine(value)
        return "\(partition):\(offset):\(timestamp ?? 0):\(hash.value.hexDigits)"
    }
}

extension FNV1a {
    /// Combines one part. The hash includes the part's length and distinguishes a missing part from an empty one.
    fileprivate mutating func combine(_ bytes: [UInt8]?) {
        guard let bytes else { return combine(0xFF) }
        for byte in bytes { combine(byte) }
        var length = UInt64(bytes.count)
        for _ in 0..<8 {
            combine(UInt8(truncatingIfNeeded: length))
            length >>= 8
        }
    }
}
