internal import JSON

/// A Kafka record for the decoder, independent of the client library.
public struct ChangeRecord: Equatable, Sendable {
    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: [UInt8]?

        public init(_ name: String, _ value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Milliseconds since 1970; nil when the record carries none.
    public var timestamp: Int64?
    public var key: [UInt8]?
    /// Nil for a tombstone.
    public var value: [UInt8]?
    public var headers: [Header]

    public init(
        topic: String, partition: Int32 = 0, offset: Int64 = 0, timestamp: Int64? = nil, key: [UInt8]? = nil, value: [UInt8]?,
        headers: [Header] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }

    func header(_ name: String) -> [UInt8]? { headers.first { $0.name == name }?.value }

    /// The text of a header. Kafka Connect writes it bare (SimpleHeaderConverter) or as JSON with or without schema (JsonConverter).
    func headerText(_ name: String) -> String? { header(name).flatMap(Self.text) }

    /// The text of a header or key that is a bare text, a JSON string, or a JSON scalar with its schema. Nil unless it is UTF-8.
    static func text(_ bytes: [UInt8]) -> String? {
        guard let first = bytes.first, first == UInt8(ascii: "\"") || first == UInt8(ascii: "{"),
            let document = try? JSONDocument(parsing: bytes)
        else { return String(validating: bytes, as: UTF8.self) }
        if let text = document.string(document.root) { return text }
        let members = document.members(of: document.root) ?? []
        guard members.count == 2, members.contains(where: { $0.name == "schema" }),
            let payload = members.first(where: { $0.name == "payload" })?.value
        else { return String(validating: bytes, as: UTF8.self) }
        return document.string(payload) ?? document.text(payload)
    }
}
