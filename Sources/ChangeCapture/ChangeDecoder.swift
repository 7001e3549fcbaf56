internal import JSON

/// Tells what a record of a change data capture means: records of Debezium (with and without schemas, flattened, as CloudEvents, from its
/// outbox event router) and of the platform's own realtime system. docs/reference/change-events.md describes the forms.
///
/// Owns the schemas that it has read. Apart from this cache a result depends only on the record and the options.
public struct ChangeDecoder: Sendable {
    let options: ChangeOptions
    private let columnTypes: [TableName: [String: ColumnType]]
    private let placeholder: Placeholder
    private var schemas = SchemaCache()

    public init(_ options: ChangeOptions = ChangeOptions()) {
        self.options = options
        columnTypes = options.columnTypes.mapValues { $0.mapValues { $0.columnType(options) } }
        placeholder = Placeholder(options.unavailablePlaceholder)
    }

    public mutating func decode(_ record: ChangeRecord) -> Change {
        do throws(ChangeRejection) {
            return try change(record)
        } catch {
            return .rejected(error)
        }
    }

    private mutating func change(_ record: ChangeRecord) throws(ChangeRejection) -> Change {
        let size = (record.key?.count ?? 0) + (record.value?.count ?? 0)
        guard size <= ChangeLimits.recordBytes else {
            throw ChangeRejection(.tooLarge, at: "record", expected: "at most \(ChangeLimits.recordBytes) bytes", found: "\(size)")
        }
        if record.topic.hasPrefix(options.outboxTopicPrefix), !options.outboxTopicPrefix.isEmpty {
            return .outbox(try outboxEvent(record))
        }
        guard let value = record.value else { return try flattenedDelete(record) ?? .tombstone(tombstone(record)) }
        let payload: Payload
        do {
            payload = try schemas.open(value, topic: record.topic, .value)
        } catch {
            throw ChangeRejection(error.reason == .nul ? .nulCharacter : .notJSON, "value: \(error)")
        }
        if payload.document.root.kind == .null { return .tombstone(tombstone(record)) }
        guard let fields = Fields(payload.document.root, in: payload.document, path: "") else {
            throw ChangeRejection(.unknownForm, at: "value", expected: "an object", found: "\(payload.document.root.kind)")
        }
        return try change(fields, payload, record)
    }

    private mutating func change(_ fields: Fields, _ payload: Payload, _ record: ChangeRecord) throws(ChangeRejection) -> Change {
        if fields["op"] != nil, fields["source"]?.kind == .object { return try envelope(fields, payload, record) }
        if fields["specversion"] != nil { return try cloudEvent(fields, payload, record) }
        if isHeartbeat(fields, record) { return .heartbeat(try heartbeat(fields, record)) }
        if fields["status"] != nil, fields["id"] != nil, fields.has("event_count") { return .transaction(try marker(fields)) }
        if isFlattened(fields, record) { return try flattened(fields, payload, record) }
        if let ignored = IgnoredRecord(fields) { return .ignored(ignored) }
        if fields["metadata"]?.kind == .object, fields["routing"]?.kind == .object { return .platform(try PlatformRecord(fields)) }
        if fields["audience"]?.kind == .array, fields.has("priority") { return .notice(try PlatformNotice(fields)) }
        let names = fields.members.prefix(4).map { String($0.name.prefix(32)) }.joined(separator: ", ")
        throw ChangeRejection(
            .unknownForm, at: "value", expected: "a change event", found: "an object with \(names.isEmpty ? "no members" : names)")
    }

    // MARK: Keys and rows

    /// The record's key; nil when it has none.
    mutating func key(_ record: ChangeRecord, of table: TableName?) throws(ChangeRejection) -> RowKey? {
        guard let bytes = record.key, !bytes.isEmpty else { return nil }
        do {
            return try rowKey(try schemas.open(bytes, topic: record.topic, .key), of: table)
        } catch let error as JSONError {
            throw ChangeRejection(.keyNotJSON, "key: \(error); expected JSON, as JsonConverter writes it")
        } catch {
            throw ChangeRejection(.keyNotJSON, "key: \(error)")
        }
    }

    /// The key in a header of the two records of a key change.
    func key(inHeader name: String, _ record: ChangeRecord, of table: TableName) throws(ChangeRejection) -> RowKey? {
        guard let bytes = record.header(name), !bytes.isEmpty else { return nil }
        let payload: Payload
        do {
            payload = try SchemaCache.open(once: bytes)
        } catch {
            throw ChangeRejection(.keyNotJSON, "header \(name): \(error); expected JSON")
        }
        return try rowKey(payload, of: table)
    }

    private func rowKey(_ payload: Payload, of table: TableName?) throws(ChangeRejection) -> RowKey? {
        let (document, root) = (payload.document, payload.document.root)
        if root.kind == .null { return nil }
        let reader = reader(document, payload.schema?.fields, table)
        guard let members = document.members(of: root) else {
            return RowKey(columns: [Column("", try reader.value(root, .untyped) { "key" })], text: document.text(root))
        }
        let columns = try reader.row(root, "key").columns
        var text: [UInt8] = [UInt8(ascii: "{")]
        let sorted = members.count < 2 ? members : members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        for (index, member) in sorted.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text.appendJSONString(member.name)
            text.append(UInt8(ascii: ":"))
            document.write(member.value, into: &text)
        }
        text.append(UInt8(ascii: "}"))
        return RowKey(columns: columns, text: String(decoding: text, as: UTF8.self))
    }

    func reader(_ document: JSONDocument, _ fields: [SchemaField]?, _ table: TableName?) -> RowReader {
        let declared = columnTypes.isEmpty ? nil : table.flatMap { columnTypes[$0] }
        return RowReader(document: document, fields: fields ?? [], declared: declared ?? [:], placeholder: placeholder)
    }

    // MARK: Records that change no row

    /// The key of a tombstone is for the log only, so a key that is not JSON is no error.
    private mutating func tombstone(_ record: ChangeRecord) -> Tombstone {
        do throws(ChangeRejection) {
            return Tombstone(key: try key(record, of: nil))
        } catch {
            return Tombstone(key: nil)
        }
    }

    private func isHeartbeat(_ fields: Fields, _ record: ChangeRecord) -> Bool {
        guard fields["ts_ms"] != nil, fields.members.count == 1 else { return false }
        return record.topic.hasPrefix(options.heartbeatTopicPrefix) || record.key != nil && serverName(record) != nil
    }

    private func heartbeat(_ fields: Fields, _ record: ChangeRecord) throws(ChangeRejection) -> Heartbeat {
        Heartbeat(server: serverName(record), at: try fields.required(try fields.instant(), "ts_ms"))
    }

    private func serverName(_ record: ChangeRecord) -> String? {
        guard let bytes = record.key, let payload = try? SchemaCache.open(once: bytes) else { return nil }
        let member = payload.document.members(of: payload.document.root)?.first { $0.name == "serverName" }
        return member.flatMap { payload.document.string($0.value) }
    }

    /// Debezium, "Transaction metadata".
    private func marker(_ fields: Fields) throws(ChangeRejection) -> TransactionMarker {
        let status = try fields.required(try fields.text("status"), "status")
        guard let status = TransactionMarker.Status(rawValue: status) else {
            throw ChangeRejection(.badValue, at: "status", expected: "BEGIN or END", found: "another text")
        }
        var counts: [TransactionMarker.Count] = []
        if let list = fields["data_collections"] {
            guard let elements = fields.document.elements(of: list) else { throw fields.wrongKind("data_collections", "an array", list) }
            for element in elements {
                guard let count = Fields(element, in: fields.document, path: "data_collections[]") else {
                    throw fields.wrongKind("data_collections[]", "an object", element)
                }
                counts.append(
                    TransactionMarker.Count(
                        collection: try count.required(try count.text("data_collection"), "data_collection"),
                        events: try count.required(try count.integer("event_count"), "event_count")))
            }
        }
        return TransactionMarker(
            status: status, id: try fields.required(try fields.text("id"), "id").beforeColon, events: try fields.integer("event_count"),
            counts: counts, at: try fields.instant())
    }
}

extension String {
    /// The part of a transaction's id that its records share.
    var beforeColon: String { String(prefix { $0 != ":" }) }
}

extension IgnoredRecord {
    /// Debezium: "Schema change topic", "Signalling", "Notifications".
    fileprivate init?(_ fields: Fields) {
        if fields.has("ddl") || fields.has("tableChanges"), fields.has("source") || fields.has("position") {
            self = .schemaChange
        } else if fields.has("aggregate_type"), fields.has("type"), fields.has("additional_data") {
            self = .notification
        } else if fields.members.count <= 3, fields.has("data"), let type = fields["type"].flatMap({ fields.document.string($0) }),
            Self.signals.contains(type)
        {
            self = .signal
        } else {
            return nil
        }
    }

    private static let signals: Set<String> = [
        "execute-snapshot", "stop-snapshot", "pause-snapshot", "resume-snapshot", "schema-changes", "log",
    ]
}
