/// The value of a column.
public enum ColumnValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    /// NaN of a floating-point or numeric column.
    case notANumber
    /// A number in plain decimal notation, exact, with the zeros of its scale: `12.50`.
    case decimal(String)
    /// Text, UUID (as PostgreSQL writes it), enum, XML, network address, range.
    case string(String)
    case bytes([UInt8])
    /// Microseconds since 1970-01-01T00:00Z. A `timestamp without time zone` is taken as UTC, as Debezium does.
    case timestamp(Int64)
    /// Days since 1970-01-01.
    case date(Int64)
    /// Microseconds since midnight, of a `time with time zone` in UTC.
    case time(Int64)
    /// Microseconds of an interval, where a month has 30.4375 days.
    case duration(Int64)
    /// A JSON text: of a json or jsonb column, or of a structure such as a point.
    case json(String)
    case array([ColumnValue])
    /// `infinity` of a date, timestamp or number.
    case infinity
    case negativeInfinity
    /// The database did not send the value: an unchanged TOAST value, or a column beside the key under `REPLICA IDENTITY DEFAULT`.
    case unavailable
    /// The row has no column of this name. Columns appear and disappear without notice.
    case absent
}

public struct Column: Equatable, Sendable {
    public let name: String
    public let value: ColumnValue

    public init(_ name: String, _ value: ColumnValue) {
        self.name = name
        self.value = value
    }
}

/// The columns of a row in the order of the table.
public struct Row: Equatable, Sendable {
    public let columns: [Column]

    public init(_ columns: [Column]) { self.columns = columns }

    /// The value of a column; `absent` when there is none of this name.
    public subscript(_ name: String) -> ColumnValue { columns.first { $0.name == name }?.value ?? .absent }
}

/// The primary key of a row, or another key that the connector uses (`message.key.columns`).
public struct RowKey: Hashable, Sendable {
    public let columns: [Column]
    /// The key as compact JSON with its members sorted by name: `{"id":1}`. It is the same with and without schemas and declared types,
    /// because it contains the values as the record has them.
    public let text: String

    /// Byte for byte: PostgreSQL has two rows for the two encodings of `é`.
    public static func == (a: RowKey, b: RowKey) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    public func hash(into hasher: inout Hasher) { for byte in text.utf8 { hasher.combine(byte) } }
}
