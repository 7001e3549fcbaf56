/// The type of an expression (CEL specification, "Gradual type checking").
public indirect enum CELType: Equatable, Sendable, CustomStringConvertible {
    /// Any type; operations on it are checked when the condition runs.
    case dyn
    case null
    case bool
    case int
    case double
    case string
    case bytes
    case timestamp
    case duration
    case list(CELType)
    /// With strings as keys.
    case map(CELType)

    public var description: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .list(let element): "list(\(element))"
        case .map(let value): "map(string, \(value))"
        }
    }

    /// Whether a value of this type can equal one of the other. Numbers compare by value. A column of any type may be null.
    func isComparable(to other: CELType) -> Bool {
        switch (self, other) {
        case (.dyn, _), (_, .dyn), (.null, _), (_, .null), (.int, .double), (.double, .int): true
        case (.list(let a), .list(let b)), (.map(let a), .map(let b)): a.isComparable(to: b)
        default: self == other
        }
    }

    /// The type of a value that has one of two types: `dyn` when they differ.
    func joined(with other: CELType) -> CELType { self == other ? self : .dyn }
}

/// A variable with named fields: a row, or what is known of the event. It has no value of its own: an expression reads its fields.
public struct CELRecord: Equatable, Sendable {
    public var fields: [String: CELType]
    /// Whether other fields may be read, too, as `dyn`.
    public var isOpen: Bool

    public init(_ fields: [String: CELType], isOpen: Bool = false) {
        self.fields = fields
        self.isOpen = isOpen
    }

    /// Any field, of any type.
    public static let open = CELRecord([:], isOpen: true)

    func type(of field: String) -> CELType? { fields[field] ?? (isOpen ? .dyn : nil) }
}

/// The names that a condition may use. `before` and `after` are those of the row.
public struct CELDeclarations: Equatable, Sendable {
    /// The columns, which a condition reads as fields of `before` and `after`; nil when there are no rows.
    public var row: CELRecord?
    public var variables: [String: CELType]
    public var records: [String: CELRecord]

    public init(row: CELRecord? = nil, variables: [String: CELType] = [:], records: [String: CELRecord] = [:]) {
        self.row = row
        self.variables = variables
        self.records = records
    }

    func record(_ name: String) -> CELRecord? { CELColumn.Row(rawValue: name) == nil ? records[name] : row }

    var names: [String] { Array(variables.keys) + Array(records.keys) + (row == nil ? [] : ["before", "after"]) }
}

/// An input of a condition. The caller gives the value of each when the condition runs.
public enum CELInput: Hashable, Sendable, CustomStringConvertible {
    case variable(String)
    case field(record: String, name: String)
    case column(CELColumn)

    public var description: String {
        switch self {
        case .variable(let name): name
        case .field(let record, let name): "\(record).\(name)"
        case .column(let column): column.description
        }
    }
}
