/// A value of an expression (CEL specification, "Values"). Numbers without a sign and protobuf messages are left out.
public enum CELValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list([CELValue])
    case map([String: CELValue])
    case timestamp(CELTimestamp)
    case duration(CELDuration)
    /// A column whose value was not delivered. Every operation on it is unknown, too, except where && or || have a decided result.
    indirect case unknown(CELUnknown)

    /// The name of the kind, as in messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list: "list"
        case .map: "map"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .unknown: "unknown"
        }
    }
}

/// Why the value of a column is unknown.
public struct CELUnknown: Equatable, Sendable, CustomStringConvertible {
    public enum Reason: Equatable, Sendable {
        /// PostgreSQL leaves out a long (TOAST) value that the update did not change. So the column has not changed.
        case unchanged
        /// The old row was not delivered: its table does not have REPLICA IDENTITY FULL.
        case notDelivered
    }

    public let column: CELColumn
    public let reason: Reason

    public init(column: CELColumn, reason: Reason) {
        self.column = column
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .unchanged: "\(column) was not delivered because it is long and did not change"
        case .notDelivered: "\(column) was not delivered because its table does not have REPLICA IDENTITY FULL"
        }
    }
}

/// A column of the old or of the new row.
public struct CELColumn: Hashable, Sendable, CustomStringConvertible {
    public enum Row: String, Hashable, Sendable { case before, after }

    public let row: Row
    public let name: String

    public init(row: Row, name: String) {
        self.row = row
        self.name = name
    }

    public var description: String { "\(row.rawValue).\(name)" }
}
