internal import JSON

/// The formats of a record. The content type, the headers and a few members identify the format.
enum EventShape: Equatable {
    /// The hub's own JSON.
    case own
    /// CloudEvents 1.0, Kafka protocol binding §3.3: envelope and data in one JSON object.
    case structuredCloudEvent
    /// CloudEvents JSON batch format §4: an array of structured events.
    case cloudEventBatch
    /// Kafka protocol binding §3.2: attributes in `ce_` headers, the value is the data.
    case binaryCloudEvent
    /// A row change of Debezium, with or without its schema.
    case debezium
    /// Data in a format that is not JSON.
    case foreign(contentType: String)

    init(_ headers: EventHeaders, _ root: () throws(EventRejection) -> EventMembers) throws(EventRejection) {
        let type = headers.mediaType
        if type == "application/cloudevents-batch+json" {
            self = .cloudEventBatch
        } else if type == "application/cloudevents" || type == "application/cloudevents+json" {
            self = .structuredCloudEvent
        } else if let type, !Self.isJSON(type) {
            self = .foreign(contentType: type)
        } else if headers["ce_specversion"] != nil || headers["ce_id"] != nil {
            self = .binaryCloudEvent
        } else {
            self.init(try root())
        }
    }

    private init(_ root: EventMembers) {
        if root.has(.specversion) {
            self = .structuredCloudEvent
        } else if Self.isChange(root) || Self.isChangeWithSchema(root) {
            self = .debezium
        } else {
            self = .own
        }
    }

    private static func isChange(_ members: EventMembers) -> Bool {
        members[.op]?.kind == .string && members[.source]?.kind == .object && (members.has(.before) || members.has(.after))
    }

    private static func isChangeWithSchema(_ members: EventMembers) -> Bool {
        guard members.has(.schema), let payload = members[.payload] else { return false }
        return isChange(EventMembers(of: payload, in: members.document))
    }

    private static func isJSON(_ type: String) -> Bool {
        type == "application/json" || type == "text/json" || type.hasSuffix("+json")
    }
}

/// A record's headers, looked up case-insensitively.
struct EventHeaders {
    private let headers: [EventRecord.Header]

    init(_ headers: [EventRecord.Header]) { self.headers = headers }

    /// The first header of that name (given in lower case) if its value is UTF-8.
    subscript(_ name: String) -> String? {
        guard let value = headers.first(where: { $0.name.lowercased() == name })?.value else { return nil }
        return String(validating: value, as: UTF8.self)
    }

    /// The content type without its parameters, in lower case; nil when there is none.
    var mediaType: String? {
        guard let text = self["content-type"]?.prefix(while: { $0 != ";" }).lowercased() else { return nil }
        let type = text.filter { !$0.isWhitespace }
        return type.isEmpty ? nil : type
    }
}
