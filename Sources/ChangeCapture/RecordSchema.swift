internal import Bytes
internal import JSON

/// The schema beside a payload, read once.
final class RecordSchema: Sendable {
    /// The schema's own text.
    fileprivate let bytes: [UInt8]
    /// The columns of a key or of a flattened row.
    let fields: [SchemaField]
    /// The columns of `before` and `after`.
    let row: [SchemaField]
    /// The type of a logical message's content.
    let content: ColumnType?

    fileprivate init(_ document: JSONDocument, _ bytes: [UInt8]) {
        self.bytes = bytes
        fields = SchemaField.list(document.root, in: document)
        let data = Self.field("data", of: document.root, in: document)
        let row = ["after", "before"].lazy.compactMap { name in
            Self.field(name, of: document.root, in: document) ?? data.flatMap { Self.field(name, of: $0, in: document) }
        }.first
        self.row = row.map { SchemaField.list($0, in: document) } ?? []
        content = Self.field("message", of: document.root, in: document)
            .flatMap { SchemaField.list($0, in: document).first { $0.name == "content" }?.type }
    }

    private static func field(_ name: String, of schema: JSONDocument.Value, in document: JSONDocument) -> JSONDocument.Value? {
        let fields = document.members(of: schema)?.first { $0.name == "fields" }?.value
        return fields.flatMap { document.elements(of: $0) }?.first { field in
            document.members(of: field)?.first { $0.name == "field" }.flatMap { document.string($0.value) } == name
        }
    }
}

/// A key or value without its wrapper.
struct Payload {
    let document: JSONDocument
    /// Nil without a wrapper.
    let schema: RecordSchema?
}

/// Opens keys and values, and remembers the last schema of each topic: records repeat it, and it is often longer than the data.
struct SchemaCache: Sendable {
    enum Part: Hashable, Sendable { case key, value }

    private struct Place: Hashable {
        let topic: String
        let part: Part
    }

    private var schemas: [Place: RecordSchema] = [:]
    private var bytesHeld = 0

    /// Beyond these the cache starts anew: the topics come from a pattern, and nothing says when one is not used any more.
    static let longestSchema = 1 << 20
    static let mostBytes = 8 << 20
    static let mostSchemas = 1_024

    private static let limits = JSONLimits(maximumValues: ChangeLimits.values, refusesNUL: true)
    private static let opening = Array(#"{"schema":"#.utf8)
    private static let between = Array(#","payload":"#.utf8)

    /// Detects the wrapper of Connect's JsonConverter: an object of exactly `schema`, null or an object with a `type`, and `payload`.
    mutating func open(_ bytes: [UInt8], topic: String, _ part: Part) throws(JSONError) -> Payload {
        guard bytes.first(where: { $0 > UInt8(ascii: " ") }) == UInt8(ascii: "{") else { return try Self.open(bytes) }
        let place = Place(topic: topic, part: part)
        if let known = schemas[place], let payload = Self.payload(of: bytes, after: known) { return payload }
        guard let (schemaRange, payloadRange) = Self.wrapper(bytes) else { return try Self.open(bytes) }
        let schema = try JSONDocument(parsing: schemaRange, of: bytes, limits: Self.limits)
        guard Self.isSchema(schema) else { return try Self.open(bytes) }
        let read = RecordSchema(schema, Array(bytes[schemaRange]))
        remember(read, at: place)
        return Payload(document: try JSONDocument(parsing: payloadRange, of: bytes, limits: Self.limits), schema: read)
    }

    /// For bytes whose schema is not worth remembering, such as a header.
    static func open(once bytes: [UInt8]) throws(JSONError) -> Payload {
        var cache = SchemaCache()
        return try cache.open(bytes, topic: "", .key)
    }

    /// The types of the rows in a wrapped object.
    static func rowFields(_ bytes: [UInt8]) throws(ChangeRejection) -> [SchemaField]? {
        do {
            return try open(once: bytes).schema?.row
        } catch {
            throw ChangeRejection(.notJSON, "data: \(error)")
        }
    }

    private static func open(_ bytes: [UInt8]) throws(JSONError) -> Payload {
        Payload(document: try JSONDocument(parsing: bytes, limits: limits), schema: nil)
    }

    private mutating func remember(_ schema: RecordSchema, at place: Place) {
        guard schema.bytes.count <= Self.longestSchema else { return }
        bytesHeld += schema.bytes.count - (schemas[place]?.bytes.count ?? 0)
        if bytesHeld > Self.mostBytes || schemas.count >= Self.mostSchemas {
            schemas = [:]
            bytesHeld = schema.bytes.count
        }
        schemas[place] = schema
    }

    /// The payload of a compact record whose schema is byte for byte the known one. It compares the schema instead of scanning it. Nil for
    /// any other record, also for one that is not JSON: then the general way gives the result or the error.
    private static func payload(of bytes: [UInt8], after known: RecordSchema) -> Payload? {
        let (span, opening, between, text) = (bytes.span, Self.opening, Self.between, known.bytes)
        let schema = opening.count..<(opening.count + text.count)
        let start = schema.upperBound + between.count
        guard span.count > start, span.extracting(0..<opening.count).isSame(as: opening.span),
            span.extracting(schema).isSame(as: text.span),
            span.extracting(schema.upperBound..<start).isSame(as: between.span),
            span[span.count - 1] == UInt8(ascii: "}"),
            let document = try? JSONDocument(parsing: start..<(span.count - 1), of: bytes, limits: limits)
        else { return nil }
        return Payload(document: document, schema: known)
    }

    /// The ranges of `schema` and `payload` in an object that has these two members and no others. Nil also for a text that is not JSON:
    /// then the parser of the whole text gives the error.
    private static func wrapper(_ bytes: [UInt8]) -> (schema: Range<Int>, payload: Range<Int>)? {
        let span = bytes.span
        var (schema, payload): (JSONSlice?, JSONSlice?)
        do throws(JSONError) {
            var scanner = JSONScanner(span, limits: limits)
            guard try scanner.enterObject(in: span) else { return nil }
            repeat {
                switch try scanner.name(in: span).word(in: span) {
                case schemaWord where schema == nil: schema = try scanner.value(in: span)
                case payloadWord where payload == nil: payload = try scanner.value(in: span)
                default: return nil
                }
            } while try scanner.another(in: .object, span)
            try scanner.finish(in: span)
        } catch {
            return nil
        }
        guard let schema, let payload, schema.kind == .object || schema.kind == .null else { return nil }
        return (schema.range, payload.range)
    }

    private static let schemaWord = JSONSlice.word("schema")
    private static let payloadWord = JSONSlice.word("payload")

    private static func isSchema(_ document: JSONDocument) -> Bool {
        guard let members = document.members(of: document.root) else { return document.root.kind == .null }
        return members.contains { $0.name == "type" && $0.value.kind == .string }
    }
}
