internal import JSON

/// A record of the platform's realtime system: `metadata`, `payload` and `routing`. Its stored properties are the members of the record.
public struct PlatformRecord: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case realtime = "REALTIME"
        case system = "SYSTEM"
        case notification = "NOTIFICATION"
    }

    public struct Audience: Equatable, Sendable {
        /// `USER`, `STRUCTURE`, `FORMATION` and so on.
        public let type: String
        public let targets: [String]
    }

    public struct Retry: Equatable, Sendable {
        public let requiresAck: Bool
        public let attempts: Int64?
        public let limit: Int64?
        /// The text or number of the record: its form is not fixed.
        public let backoff: String?
    }

    public let id: String
    public let kind: Kind
    public let priority: String?
    public let emitter: String?
    public let source: String?
    public let topic: String?
    public let operation: String?
    /// Microseconds since 1970.
    public let at: Int64?
    /// Microseconds since 1970.
    public let expiresAt: Int64?
    /// JSON text.
    public let before: String?
    /// JSON text.
    public let after: String?
    /// At least one.
    public let audiences: [Audience]
    public let retry: Retry?
}

/// A record of the platform's first version: a text for some users.
public struct PlatformNotice: Equatable, Sendable {
    public enum Priority: String, CaseIterable, Sendable {
        case low = "LOW"
        case medium = "MEDIUM"
        case high = "HIGH"
    }

    public enum Kind: String, CaseIterable, Sendable {
        case system = "SYSTEM"
        case ui = "UI"
        case user = "USER"
    }

    /// User names; `*` is everybody.
    public let audience: [String]
    public let priority: Priority
    public let kind: Kind
    public let header: String?
    public let body: String?
    public let footer: String?
}

extension PlatformRecord {
    init(_ fields: Fields) throws(ChangeRejection) {
        let metadata = try fields.required(try fields.object("metadata"), "metadata")
        let routing = try fields.required(try fields.object("routing"), "routing")
        let rows = try fields.object("payload")
        id = try metadata.required(try metadata.scalar("id"), "id")
        kind = try metadata.choice("type")
        priority = try metadata.scalar("priority")
        emitter = try metadata.scalar("emitter")
        source = try metadata.scalar("source")
        topic = try metadata.scalar("topic")
        operation = try metadata.scalar("operation")
        at = try metadata.millisecondsOrText("timestamp")
        expiresAt = try metadata.millisecondsOrText("expiration")
        before = rows?["before"].map { fields.document.text($0) }
        after = rows?["after"].map { fields.document.text($0) }
        audiences = try routing.audiences()
        retry = try routing.object("retry").map { retry throws(ChangeRejection) in
            let ack = retry["ack_required"]
            if let ack, ack.kind != .bool { throw retry.wrongKind("ack_required", "true or false", ack) }
            return Retry(
                requiresAck: ack.flatMap { fields.document.bool($0) } ?? false, attempts: try retry.integer("attempts"),
                limit: try retry.integer("limit"), backoff: try retry.scalar("backoff"))
        }
    }
}

extension PlatformNotice {
    init(_ fields: Fields) throws(ChangeRejection) {
        audience = try fields.scalars("audience")
        priority = try fields.choice("priority")
        kind = try fields.choice("type")
        header = try fields.text("header")
        body = try fields.text("body")
        footer = try fields.text("footer")
    }
}

extension Fields {
    /// One audience, or an array of them.
    fileprivate func audiences() throws(ChangeRejection) -> [PlatformRecord.Audience] {
        let value = try required(self["audience"], "audience")
        let elements = document.elements(of: value)
        guard elements?.isEmpty != true else { throw wrongKind("audience", "an object, or an array with objects", value) }
        var audiences: [PlatformRecord.Audience] = []
        for element in elements ?? [value] {
            guard let members = Fields(element, in: document, path: at("audience")) else {
                throw wrongKind("audience", "an object, or an array of objects", element)
            }
            audiences.append(
                PlatformRecord.Audience(
                    type: try members.required(try members.text("type"), "type"), targets: try members.scalars("targets")))
        }
        return audiences
    }

    /// A text or a number as text; nil when it is missing or null.
    fileprivate func scalar(_ name: String) throws(ChangeRejection) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = document.string(value) ?? document.number(value)?.text else { throw wrongKind(name, "a string or number", value) }
        return text
    }

    /// An array of texts or numbers; it must be there.
    fileprivate func scalars(_ name: String) throws(ChangeRejection) -> [String] {
        let value = try required(self[name], name)
        guard let elements = document.elements(of: value) else { throw wrongKind(name, "an array", value) }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard let text = document.string(element) ?? document.number(element)?.text else {
                throw wrongKind("\(name)[\(index)]", "a string or number", element)
            }
            texts.append(text)
        }
        return texts
    }

    /// One of the words of an enumeration, in any case.
    fileprivate func choice<T: RawRepresentable & CaseIterable>(_ name: String) throws(ChangeRejection) -> T where T.RawValue == String {
        let text = try required(try self.text(name), name)
        guard let choice = T(rawValue: text.uppercased()) else {
            let words = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw ChangeRejection(.badValue, at: at(name), expected: words, found: "another text")
        }
        return choice
    }

    /// Milliseconds since 1970 as a number, or an ISO 8601 timestamp.
    fileprivate func millisecondsOrText(_ name: String) throws(ChangeRejection) -> Int64? {
        guard let value = self[name] else { return nil }
        let text = document.string(value)
        let milliseconds = document.int64(value) ?? text.flatMap { Int64($0) }
        guard let instant = milliseconds.flatMap(TimeUnit.milliseconds.microseconds) ?? text.flatMap(TimeText.timestamp) else {
            throw ChangeRejection(
                .badValue, at: at(name), expected: "milliseconds or an ISO 8601 timestamp", found: "another \(value.kind)")
        }
        return instant
    }
}
