internal import JSON

/// Debezium, "New record state extraction" (`io.debezium.transforms.ExtractNewRecordState`): the value is the row, and its metadata are
/// members with a prefix (`add.fields`) or headers (`add.headers`).
extension ChangeDecoder {
    func isFlattened(_ fields: Fields, _ record: ChangeRecord) -> Bool {
        let prefix = options.flattenedFieldPrefix
        if fields.has(prefix + "deleted") { return true }
        guard let operation = fields[prefix + "op"].flatMap({ fields.document.string($0) }) ?? headerOperation(record) else { return false }
        return operation.utf8.count == 1
    }

    /// Nil for a record that is no row of the transform.
    func headerOperation(_ record: ChangeRecord) -> String? { record.headerText(options.flattenedHeaderPrefix + "op") }

    mutating func flattened(_ fields: Fields, _ payload: Payload, _ record: ChangeRecord) throws(ChangeRejection) -> Change {
        let metadata = RowMetadata(fields: fields, record: record, options: options)
        let prefix = options.flattenedFieldPrefix
        let isDeleted = fields[prefix + "deleted"].flatMap { fields.document.string($0) ?? fields.document.text($0) } == "true"
        guard let operation = try isDeleted ? "d" : metadata.text(["op"]) else {
            throw ChangeRejection(
                .missingMember, at: prefix + "op", expected: "the operation (the transform's setting add.fields=op)", found: "no member")
        }
        let row = fields.document.root
        let isDelete = operation == "d"
        let parts = RowParts(
            operation: operation, table: try metadata.table(), source: try metadata.source(), transaction: nil, rows: fields,
            before: isDelete ? row : nil, after: isDelete ? nil : row, schema: payload.schema?.fields,
            isMetadata: { prefix.isEmpty ? RowMetadata.names.contains($0) : $0.hasPrefix(prefix) })
        return try change(parts, record)
    }

    /// A delete without a row: the transform made a tombstone of it, and its headers tell the operation and the LSN. The tombstone that
    /// follows a delete may have the operation, but no LSN. Nil for it and for other tombstones.
    mutating func flattenedDelete(_ record: ChangeRecord) throws(ChangeRejection) -> Change? {
        guard record.key != nil, headerOperation(record) == "d" else { return nil }
        let metadata = RowMetadata(fields: nil, record: record, options: options)
        let (table, source) = (try metadata.table(), try metadata.source())
        guard source.lsn != nil else { return nil }
        return .row(
            RowChange(
                operation: .delete, table: table, key: try key(record, of: table), before: nil, after: nil, source: source,
                transaction: nil, keyChange: nil, content: ""))
    }
}

/// The metadata of a flattened row, by their names in the envelope; those of `source` with or without its name before them.
private struct RowMetadata {
    let fields: Fields?
    let record: ChangeRecord
    let options: ChangeOptions

    static let names: Set<String> = [
        "op", "deleted", "table", "schema", "db", "name", "connector", "snapshot", "lsn", "txId", "ts_ms", "ts_us", "ts_ns", "source_table",
        "source_schema", "source_db", "source_lsn", "source_txId", "source_ts_ms", "source_ts_us", "source_ts_ns", "source_snapshot",
    ]

    /// The first of these that is there, as a member or as a header.
    func text(_ names: [String]) throws(ChangeRejection) -> String? {
        for name in names {
            if let fields, let value = fields[options.flattenedFieldPrefix + name] {
                return fields.document.string(value) ?? fields.document.text(value)
            }
            if let text = record.headerText(options.flattenedHeaderPrefix + name) { return text }
        }
        return nil
    }

    private func integer(_ names: [String]) throws(ChangeRejection) -> Int64? {
        guard let text = try text(names) else { return nil }
        guard let number = Int64(text) else {
            throw ChangeRejection(
                .badValue, at: options.flattenedFieldPrefix + (names.first ?? ""), expected: "a whole number", found: "another value")
        }
        return number
    }

    /// The names of the metadata, or the last two parts of the topic: `<prefix>.<schema>.<table>`.
    func table() throws(ChangeRejection) -> TableName {
        let parts = record.topic.split(separator: ".", omittingEmptySubsequences: false).suffix(2).map { String($0) }
        let schema = try text(["schema", "source_schema"]) ?? (parts.count == 2 ? parts[0] : "public")
        return TableName(schema: schema, table: try text(["table", "source_table"]) ?? parts.last ?? record.topic)
    }

    func source() throws(ChangeRejection) -> ChangeSource {
        var source = ChangeSource()
        source.name = try text(["name", "source_name"]) ?? ""
        source.connector = try text(["connector", "source_connector"]) ?? ""
        source.database = try text(["db", "source_db"]) ?? ""
        source.snapshot = try text(["snapshot", "source_snapshot"]) ?? "false"
        source.lsn = try integer(["lsn", "source_lsn"]).flatMap { UInt64(exactly: $0) }
        source.transactionID = try integer(["txId", "source_txId"])
        source.committedAt = try instant("source_ts_")
        source.capturedAt = try instant("ts_")
        return source
    }

    private func instant(_ prefix: String) throws(ChangeRejection) -> Int64? {
        if let value = try integer([prefix + "us"]) { return value }
        if let value = try integer([prefix + "ms"]) { return TimeUnit.milliseconds.microseconds(value) }
        return try integer([prefix + "ns"]).flatMap(TimeUnit.nanoseconds.microseconds)
    }
}
