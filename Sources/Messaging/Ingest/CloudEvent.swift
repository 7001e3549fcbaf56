internal import JSON

/// The validated attributes of a CloudEvent (CloudEvents 1.0 §3.1) that the hub uses.
struct CloudEvent {
    private let id: String
    private let source: String
    private let type: String
    private let trace: String?
    private let data: EventMembers?
    private let cause: Cause?

    /// Structured mode (JSON event format §3). The record's `traceparent` header replaces a missing extension.
    init(structured event: EventMembers, _ headers: EventHeaders) throws(EventRejection) {
        let kind = event.owner.kind
        guard kind == .object else { throw EventRejection(.notAnObject, "value: expected an object, got \(kind)") }
        guard event[.dataBase64] == nil else { throw EventRejection(.base64Data, "data_base64: send the data as JSON in data") }
        let data = event[.data].map { EventMembers(of: $0, in: event.document) }
        try self.init(trace: headers["traceparent"], data: data) { attribute throws(EventRejection) in
            guard let value = event[attribute] else { return nil }
            guard let text = event.document.string(value) else {
                throw EventRejection(.badCloudEvent, "\(attribute.name): expected a string")
            }
            return text
        }
    }

    /// Binary mode: attributes in `ce_` headers.
    init(_ headers: EventHeaders, data: EventMembers?) throws(EventRejection) {
        try self.init(trace: headers["traceparent"], data: data) { attribute in headers["ce_" + attribute.name] }
    }

    private init(
        trace: String?, data: EventMembers?, _ attribute: (EventMember) throws(EventRejection) -> String?
    ) throws(EventRejection) {
        func required(_ member: EventMember, maximumBytes: Int) throws(EventRejection) -> String {
            guard let text = try attribute(member), Identifier.isAcceptable(text, maximumBytes: maximumBytes) else {
                throw EventRejection(
                    .badCloudEvent, "\(member.name): expected a string of 1…\(maximumBytes) bytes without control characters")
            }
            return text
        }
        let version = try required(.specversion, maximumBytes: 16)
        guard version == "1.0" else { throw EventRejection(.badCloudEvent, "specversion: expected 1.0, got \(version)") }
        id = try required(.id, maximumBytes: EventLimits.nameBytes)
        source = try required(.source, maximumBytes: EventLimits.sourceBytes)
        type = try required(.type, maximumBytes: EventLimits.nameBytes)
        self.trace = (TraceParent(try attribute(.traceparent)) ?? TraceParent(trace))?.text
        self.data = data
        let (row, source) = (try attribute(.hubrow), self.source)
        cause = try row.map { row throws(EventRejection) in try Self.cause(row, source) }
    }

    /// The extension `hubrow`: the event is one that a rule made of this row, sent again by `hub rules replay`.
    private static func cause(_ row: String, _ source: String) throws(EventRejection) -> Cause {
        let prefix = "rule:"
        guard Identifier.isAcceptable(row, maximumBytes: Cause.rowBytes), source.hasPrefix(prefix), source.utf8.count > prefix.utf8.count
        else {
            throw EventRejection(
                .badCloudEvent, "hubrow: expected 1…\(Cause.rowBytes) bytes without control characters, and a source rule:<name>")
        }
        return Cause(row: row, rule: String(source.dropFirst(prefix.count)), change: nil)
    }

    func event() throws(EventRejection) -> Event {
        guard let data, data.owner.kind == .object else {
            throw EventRejection(.missingData, "data: expected an object with to, title and the rest")
        }
        return Event(source: source, id: id, type: type, trace: trace, members: data, namesFrom: source, cause: cause)
    }
}

/// Returns a valid `traceparent` (W3C Trace Context §3.2). That document requires that invalid values are ignored.
struct TraceParent {
    let text: String

    init?(_ text: String?) {
        guard let text, text.utf8.count == 55 else { return nil }
        let fields = text.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.map(\.utf8.count) == [2, 32, 16, 2], fields[0] != "ff" else { return nil }
        guard fields.allSatisfy({ $0.utf8.allSatisfy(Self.isLowercaseHexDigit) }) else { return nil }
        guard fields[1...2].allSatisfy({ $0.contains { $0 != "0" } }) else { return nil }
        self.text = text
    }

    private static func isLowercaseHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }
}
