internal import JSON

/// Debezium's envelope, and the two forms that its transforms and converters make of it.
extension ChangeDecoder {
    /// Debezium, PostgreSQL connector, "Data change events".
    mutating func envelope(_ fields: Fields, _ payload: Payload, _ record: ChangeRecord) throws(ChangeRejection) -> Change {
        let operation = try fields.required(try fields.text("op"), "op")
        guard let members = try fields.object("source") else { return .rejected(ChangeRejection(.missingMember, "source: missing")) }
        var source = try ChangeSource(members)
        source.capturedAt = try fields.instant()
        let transaction = try fields.object("transaction").map { members throws(ChangeRejection) in
            TransactionPosition(
                id: try members.required(try members.text("id"), "id").beforeColon, totalOrder: try members.integer("total_order"),
                tableOrder: try members.integer("data_collection_order"))
        }
        if operation == "m" {
            let message = try fields.required(try fields.object("message"), "message")
            return .message(
                LogicalMessage(
                    prefix: try message.required(try message.text("prefix"), "prefix"),
                    content: try content(message, payload.schema?.content), source: source, transaction: transaction))
        }
        let table = try TableName(members)
        let parts = RowParts(
            operation: operation, table: table, source: source, transaction: transaction, rows: fields, before: fields["before"],
            after: fields["after"], schema: payload.schema?.row)
        return try change(parts, record)
    }

    /// The content is base64 by default (`binary.handling.mode`). With a schema that says `string` and the default mode it is text.
    private func content(_ message: Fields, _ type: ColumnType?) throws(ChangeRejection) -> [UInt8] {
        guard let text = try message.text("content") else { return [] }
        if type == .text, options.binaryForm == .base64 { return Array(text.utf8) }
        let form = type == .bytes(.base64) ? BinaryForm.base64 : options.binaryForm
        guard let bytes = form.decode(text) else {
            throw ChangeRejection(.badValue, at: message.at("content"), expected: "bytes in \(form.rawValue)", found: "another text")
        }
        return bytes
    }

    /// Debezium, "Exporting CloudEvents" (`io.debezium.converters.CloudEventsConverter`): the members of `source` are attributes with the
    /// prefix `iodebezium` and without underscores, their numbers are texts, and those of `transaction` have the prefix `iodebeziumtx`.
    mutating func cloudEvent(_ fields: Fields, _ payload: Payload, _ record: ChangeRecord) throws(ChangeRejection) -> Change {
        guard let operation = try fields.text("iodebeziumop") else {
            throw ChangeRejection(
                .unknownForm, at: "value", expected: "a CloudEvent of Debezium with iodebeziumop", found: "another CloudEvent")
        }
        guard let data = fields["data"] else { throw ChangeRejection(.missingMember, "data: missing") }
        guard data.kind == .object else {
            throw ChangeRejection(.unsupportedEncoding, at: "data", expected: "a JSON object", found: "\(data.kind), as for Avro")
        }
        guard var rows = try fields.object("data") else { throw ChangeRejection(.missingMember, "data: missing") }
        var types = payload.schema?.row
        if rows.members.count == 2, rows["schema"]?.kind == .object, rows["payload"]?.kind == .object {
            // The converter of the data writes its schema, too. It is small here: only `before` and `after`.
            types = try SchemaCache.rowFields(Array(fields.document.text(data).utf8))
            if let inner = try rows.object("payload") { rows = inner }
        }
        var source = ChangeSource()
        source.name = try fields.text("iodebeziumname") ?? ""
        source.connector = try fields.text("iodebeziumconnector") ?? ""
        source.database = try fields.text("iodebeziumdb") ?? ""
        source.lsn = try fields.lsn("iodebeziumlsn")
        source.snapshot = try fields.snapshot("iodebeziumsnapshot")
        source.sequence = try fields.text("iodebeziumsequence")
        source.committedAt = try fields.instant("iodebeziumts", ["us", "ms", "ns"])
        // Both the source's transaction id and the transaction's id are written here. The part before the colon is the same.
        let transactionID = (fields["iodebeziumtxid"] ?? fields["iodebeziumtxId"])
            .map { (fields.document.string($0) ?? fields.document.text($0)).beforeColon }
        source.transactionID = transactionID.flatMap { Int64($0) }
        var transaction: TransactionPosition?
        if let transactionID, let order = try fields.integer("iodebeziumtxtotalorder") {
            transaction = TransactionPosition(
                id: transactionID, totalOrder: order, tableOrder: try fields.integer("iodebeziumtxdatacollectionorder"))
        }
        let table = TableName(
            schema: try fields.text("iodebeziumschema") ?? "",
            table: try fields.required(try fields.text("iodebeziumtable"), "iodebeziumtable"))
        return try change(
            RowParts(
                operation: operation, table: table, source: source, transaction: transaction, rows: rows, before: rows["before"],
                after: rows["after"], schema: types), record)
    }

    // MARK: The row of any form

    mutating func change(_ parts: RowParts, _ record: ChangeRecord) throws(ChangeRejection) -> Change {
        if options.signalTables.contains(parts.table) { return .ignored(.signal) }
        let operation: RowChange.Operation
        switch parts.operation {
        case "c": operation = .insert
        case "u": operation = .update
        case "d": operation = .delete
        case "r": operation = parts.source.snapshot == "incremental" ? .incrementalSnapshotRead : .snapshotRead
        case "t": return .truncate(Truncate(table: parts.table, source: parts.source, transaction: parts.transaction))
        default:
            throw ChangeRejection(
                .unknownOperation, at: parts.rows.at("op"), expected: "c, u, d, r, t or m", found: "another text")
        }
        let key = try key(record, of: parts.table)
        let reader = reader(parts.rows.document, parts.schema, parts.table)
        var (before, after): (Row?, Row?)
        if let value = parts.before { before = try reader.row(value, parts.rows.at("before"), without: parts.isMetadata) }
        if operation == .delete {
            before = before.map { ownValues(of: $0, key, parts.table) }
        } else {
            let value = try parts.rows.required(parts.after, "after")
            after = try reader.row(value, parts.rows.at("after"), without: parts.isMetadata)
        }
        return .row(
            RowChange(
                operation: operation, table: parts.table, key: key, before: before, after: after, source: parts.source,
                transaction: parts.transaction, keyChange: try keyChange(operation, key, parts.table, record),
                content: key == nil ? (parts.after ?? parts.before).map { parts.rows.document.text($0) } ?? "" : ""))
    }

    /// Debezium fills the columns beside the key with defaults unless the table's replica identity is FULL.
    private func ownValues(of before: Row, _ key: RowKey?, _ table: TableName) -> Row {
        guard let key, !options.fullTables.contains(table) else { return before }
        return Row(
            before.columns.map { column in
                key.columns.contains { $0.name == column.name } ? column : Column(column.name, .unavailable)
            })
    }

    /// Debezium, PostgreSQL connector, "Primary key updates".
    private func keyChange(
        _ operation: RowChange.Operation, _ key: RowKey?, _ table: TableName, _ record: ChangeRecord
    ) throws(ChangeRejection) -> KeyChange? {
        guard let key, !record.headers.isEmpty else { return nil }
        switch operation {
        case .delete: return try self.key(inHeader: "__debezium.newkey", record, of: table).map { KeyChange(from: key, to: $0) }
        case .insert: return try self.key(inHeader: "__debezium.oldkey", record, of: table).map { KeyChange(from: $0, to: key) }
        case .update, .snapshotRead, .incrementalSnapshotRead: return nil
        }
    }
}

/// The parts of a row change before its rows are read.
struct RowParts {
    var operation: String
    var table: TableName
    var source: ChangeSource
    var transaction: TransactionPosition?
    /// The object that has the rows.
    var rows: Fields
    var before: JSONDocument.Value?
    var after: JSONDocument.Value?
    var schema: [SchemaField]?
    /// Whether a member of the row is not a column.
    var isMetadata: (String) -> Bool = { _ in false }
}

extension TableName {
    fileprivate init(_ source: Fields) throws(ChangeRejection) {
        self.init(
            schema: try source.text("schema") ?? "", table: try source.required(try source.text("table"), "table"))
    }
}

extension ChangeSource {
    fileprivate init(_ members: Fields) throws(ChangeRejection) {
        name = try members.text("name") ?? ""
        connector = try members.text("connector") ?? ""
        database = try members.text("db") ?? ""
        lsn = try members.lsn("lsn")
        sequence = try members.text("sequence")
        transactionID = try members.integer("txId")
        committedAt = try members.instant()
        snapshot = try members.snapshot("snapshot")
    }
}

extension Fields {
    /// A text, or a boolean in older versions; `false` when it is missing.
    func snapshot(_ name: String) throws(ChangeRejection) -> String {
        guard let value = self[name] else { return "false" }
        if let bool = document.bool(value) { return bool ? "true" : "false" }
        return try text(name) ?? "false"
    }
}
