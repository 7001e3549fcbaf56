/// A table by its names. The database is not part of it: one decoder reads the topics of one connector.
public struct TableName: Hashable, Sendable, CustomStringConvertible {
    public let schema: String
    public let table: String

    public init(schema: String = "public", table: String) {
        self.schema = schema
        self.table = table
    }

    public var description: String { "\(schema).\(table)" }
}

/// What the records do not tell, and the connector's configuration does. The defaults are those of Debezium.
/// Its stored properties are independent settings.
public struct ChangeOptions: Sendable {
    /// The types of columns for records without schemas. A column that is missing here gets a value by its JSON kind.
    public var columnTypes: [TableName: [String: DeclaredType]] = [:]
    /// Tables with `REPLICA IDENTITY FULL`. Only their deletes have the values of all columns; see `RowChange.before`.
    public var fullTables: Set<TableName> = []
    /// `unavailable.value.placeholder`. With the prefix `hex:` the rest is bytes in hexadecimal digits.
    public var unavailablePlaceholder = "__debezium_unavailable_value"
    /// `time.precision.mode`, for declared columns.
    public var timePrecision = TimePrecision.adaptive
    /// `binary.handling.mode`, for declared columns and logical messages.
    public var binaryForm = BinaryForm.base64
    /// `decimal.handling.mode`, for declared columns. Only an integer as text cannot be told from base64.
    public var decimalForm = DecimalForm.base64
    /// `topic.heartbeat.prefix`, or `topic.heartbeat.name`.
    public var heartbeatTopicPrefix = "__debezium-heartbeat"
    /// `route.topic.replacement` of the outbox event router, up to the aggregate's type.
    public var outboxTopicPrefix = "outbox.event."
    /// The header with the type of an outbox event, if `table.fields.additional.placement` puts it there.
    public var outboxTypeHeader = "eventType"
    /// `add.fields.prefix` of the transform ExtractNewRecordState.
    public var flattenedFieldPrefix = "__"
    /// `add.headers.prefix` of the transform ExtractNewRecordState.
    public var flattenedHeaderPrefix = "__"
    /// `signal.data.collection`: its rows are ignored.
    public var signalTables: Set<TableName> = [TableName(table: "debezium_signal")]

    public init() {}
}

/// `time.precision.mode` (Debezium, PostgreSQL connector, "Temporal types"). `adaptiveTimeMicroseconds` has the units of `adaptive` for all
/// columns but `time` with at most three digits. Texts of the mode `isostring` are recognized in every mode.
public enum TimePrecision: String, CaseIterable, Sendable {
    case adaptive
    case adaptiveTimeMicroseconds = "adaptive_time_microseconds"
    case connect
    case isostring
    case microseconds
    case nanoseconds
}

/// `binary.handling.mode`. `bytes` is `base64`, since JSON has no bytes.
public enum BinaryForm: String, CaseIterable, Sendable {
    case base64
    case base64URLSafe = "base64-url-safe"
    case hex
}

/// `decimal.handling.mode`: `precise` or `string`. Numbers of the mode `double` are recognized in both.
public enum DecimalForm: Sendable {
    case base64
    case text
}
