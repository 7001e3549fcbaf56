internal import JSON

/// The form of a column in a record: by the semantic name of its schema, or declared.
indirect enum ColumnType: Equatable, Sendable {
    /// A value by its JSON kind.
    case untyped
    case boolean, integer, double, text
    case bytes(BinaryForm)
    /// Without a scale the value is `{"scale":…,"value":…}`, a number, or a text.
    case decimal(scale: Int?, DecimalForm)
    case json
    case date
    case time(TimeUnit)
    case timestamp(TimeUnit)
    case duration(TimeUnit)
    case array(ColumnType)
}

/// A field of a Kafka Connect schema.
struct SchemaField: Equatable, Sendable {
    let name: String
    let type: ColumnType
    /// Whether the schema names the meaning. A plain string or number may still be a declared type, such as `numeric` in the mode `string`.
    let isSemantic: Bool
}

extension SchemaField {
    /// The fields of a struct. What is not a field is left out: a column without a type gets a value by its JSON kind.
    static func list(_ schema: JSONDocument.Value, in document: JSONDocument) -> [SchemaField] {
        let fields = document.members(of: schema)?.first { $0.name == "fields" }?.value
        return (fields.flatMap { document.elements(of: $0) } ?? []).compactMap { field in
            let members = SchemaMembers(field, document)
            guard let name = members.field else { return nil }
            let (type, isSemantic) = members.columnType(document)
            return SchemaField(name: name, type: type, isSemantic: isSemantic)
        }
    }
}

/// The members of one schema in Connect's JSON format.
private struct SchemaMembers {
    var field: String?
    var type: String?
    var name: String?
    var scale: Int?
    var items: JSONDocument.Value?

    init(_ schema: JSONDocument.Value, _ document: JSONDocument) {
        for (member, value) in document.members(of: schema) ?? [] {
            switch member {
            case "field": field = document.string(value)
            case "type": type = document.string(value)
            case "name": name = document.string(value)
            case "items": items = value
            case "parameters":
                let parameter = document.members(of: value)?.first { $0.name == "scale" }?.value
                scale = parameter.flatMap { document.string($0) }.flatMap { Int($0) }
            default: continue
            }
        }
    }

    /// Recurses once per array, and the parser has bounded the levels.
    func columnType(_ document: JSONDocument) -> (ColumnType, isSemantic: Bool) {
        if let name, let type = semanticType(name) { return (type, true) }
        switch type {
        case "boolean": return (.boolean, false)
        case "int8", "int16", "int32", "int64": return (.integer, false)
        case "float", "float32", "double", "float64": return (.double, false)
        case "string": return (.text, false)
        case "bytes": return (.bytes(.base64), true)
        case "struct", "map": return (.json, true)
        case "array":
            let element = items.map { SchemaMembers($0, document).columnType(document) }
            return (.array(element?.0 ?? .untyped), element?.isSemantic ?? false)
        default: return (.untyped, false)
        }
    }

    /// Debezium, PostgreSQL connector, "Data type mappings".
    private func semanticType(_ name: String) -> ColumnType? {
        switch name {
        case "io.debezium.time.Date", "io.debezium.time.IsoDate", "org.apache.kafka.connect.data.Date": .date
        case "io.debezium.time.Time", "org.apache.kafka.connect.data.Time": .time(.milliseconds)
        case "io.debezium.time.MicroTime", "io.debezium.time.ZonedTime", "io.debezium.time.IsoTime": .time(.microseconds)
        case "io.debezium.time.NanoTime": .time(.nanoseconds)
        case "io.debezium.time.Timestamp", "org.apache.kafka.connect.data.Timestamp": .timestamp(.milliseconds)
        case "io.debezium.time.MicroTimestamp", "io.debezium.time.ZonedTimestamp", "io.debezium.time.IsoTimestamp":
            .timestamp(.microseconds)
        case "io.debezium.time.NanoTimestamp": .timestamp(.nanoseconds)
        case "io.debezium.time.MicroDuration", "io.debezium.time.Interval": .duration(.microseconds)
        case "io.debezium.time.NanoDuration": .duration(.nanoseconds)
        case "org.apache.kafka.connect.data.Decimal": .decimal(scale: scale ?? 0, .base64)
        case "io.debezium.data.VariableScaleDecimal": .decimal(scale: nil, .base64)
        case "io.debezium.data.Json": .json
        case "io.debezium.data.Uuid", "io.debezium.data.Enum", "io.debezium.data.EnumSet", "io.debezium.data.Xml", "io.debezium.data.Ltree":
            .text
        default: nil
        }
    }
}
