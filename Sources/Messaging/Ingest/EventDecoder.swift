internal import JSON

/// Turns records into entries to be stored: the hub's own JSON, and CloudEvents 1.0 with the same members in their data.
///
/// Pure: the same record gives the same entries, so a record read twice is de-duplicated by (source, id).
public struct EventDecoder: Sendable {
    public let limits: EventLimits

    public init(limits: EventLimits = EventLimits()) { self.limits = limits }

    public func decode(_ record: EventRecord) -> Decoded {
        guard let value = record.value else { return .discard(.tombstone) }
        do throws(EventRejection) {
            guard value.count <= limits.recordBytes else {
                throw EventRejection(.tooLarge, "value: \(value.count) bytes; expected at most \(limits.recordBytes)")
            }
            var drafts: [EntryDraft] = []
            var rejections: [EventRejection] = []
            let events = try events(in: record, value)
            for (index, event) in events.enumerated() {
                var rejection: EventRejection?
                do throws(EventRejection) {
                    let event = try event.get()
                    let made: [EntryDraft]
                    (made, rejection) = try EventFields(event, limits).drafts()
                    drafts += made
                } catch {
                    rejection = error
                }
                guard var rejection else { continue }
                if events.count > 1 { rejection.detail = "event \(index): \(rejection.detail)" }
                rejections.append(rejection)
            }
            guard let rejection = EventRejection(rejections) else { return .entries(drafts) }
            return drafts.isEmpty ? .rejected(rejection) : .partly(drafts, rejection)
        } catch {
            return .rejected(error)
        }
    }

    /// - Throws: what concerns the record as a whole. One event of a batch does not stop the others.
    private func events(in record: EventRecord, _ bytes: [UInt8]) throws(EventRejection) -> [Result<Event, EventRejection>] {
        let headers = EventHeaders(record.headers)
        // Parsed at most once, and only for shapes that are JSON.
        var parsed: JSONDocument?
        func document() throws(EventRejection) -> JSONDocument {
            if let parsed { return parsed }
            let document = try Self.parse(bytes)
            parsed = document
            return document
        }

        switch try EventShape(headers, document) {
        case .own:
            return [.success(try own(try document(), record, trace: TraceParent(headers["traceparent"])?.text))]
        case .structuredCloudEvent:
            let document = try document()
            return [.success(try CloudEvent(structured: document.root, of: document, headers).event())]
        case .binaryCloudEvent:
            return [.success(try CloudEvent(headers, data: bytes.isEmpty ? nil : try document()).event())]
        case .cloudEventBatch:
            let document = try document()
            guard let batch = document.elements(of: document.root), !batch.isEmpty, batch.count <= limits.batch else {
                throw EventRejection(.emptyBatch, "expected an array of 1…\(limits.batch) events")
            }
            return batch.map { value in
                Result { () throws(EventRejection) in try CloudEvent(structured: value, of: document, headers).event() }
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

    private func own(_ document: JSONDocument, _ record: EventRecord, trace: String?) throws(EventRejection) -> Event {
        let members = document.root
        guard members.kind == .object else { throw EventRejection(.notAnObject, "value: expected an object, got \(members.kind)") }
        guard let type = document.present("type", of: members) else { throw EventRejection(.missingType, "type: missing") }
        guard let type = document.string(type), Identifier.isAcceptable(type, maximumBytes: EventLimits.nameBytes) else {
            throw EventRejection(.badType, "type: expected a string of 1…\(EventLimits.nameBytes) bytes without control characters")
        }
        guard let id = document.present("id", of: members) else {
            return Event(
                source: "kafka:" + record.topic, id: record.place, type: type, trace: trace, document: document, members: members)
        }
        guard let id = document.string(id), Identifier.isAcceptable(id, maximumBytes: EventLimits.nameBytes) else {
            throw EventRejection(.badID, "id: expected a string of 1…\(EventLimits.nameBytes) bytes without control characters")
        }
        return Event(source: "hub", id: id, type: type, trace: trace, document: document, members: members)
    }
}

/// One event, whatever it was wrapped in.
struct Event {
    /// With `id` the key of de-duplication.
    let source: String
    let id: String
    let type: String
    let trace: String?
    let document: JSONDocument
    /// The object in which `to`, `title` and the rest are.
    let members: JSONDocument.Value
}

extension JSONDocument {
    /// A member that is null is a member that is missing.
    func present(_ name: String, of object: Value) -> Value? {
        guard let value = member(name, of: object), value.kind != .null else { return nil }
        return value
    }
}

extension EventRejection {
    /// Of several the first gives the reason, and some say what is wrong. Nil for none.
    fileprivate init?(_ rejections: [EventRejection]) {
        guard let first = rejections.first else { return nil }
        var details = rejections.prefix(3).map(\.detail)
        if rejections.count > details.count { details.append("and \(rejections.count - details.count) more events") }
        self.init(first.reason, details.joined(separator: "; "), targets: rejections.flatMap(\.targets))
    }
}

extension EventRecord {
    /// Names a record that has no id: the same when it is read again, another one when a topic of the same name is made anew
    /// and its offsets begin at zero again.
    fileprivate var place: String {
        var hash = FNV1a()
        hash.combine(key)
        hash.combine(value)
        let digits = String(hash.value, radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        return "\(partition):\(offset):\(timestamp ?? 0):\(padding)\(digits)"
    }
}

/// FNV-1a, 64 bits: stable over processes and versions, unlike `Hasher`. It tells records apart; it guards nothing.
private struct FNV1a {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// A missing part differs from an empty one, and each part's length counts.
    mutating func combine(_ bytes: [UInt8]?) {
        guard let bytes else { return combine(0xFF) }
        for byte in bytes { combine(byte) }
        var length = UInt64(bytes.count)
        for _ in 0..<8 {
            combine(UInt8(truncatingIfNeeded: length))
            length >>= 8
        }
    }

    private mutating func combine(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }
}
