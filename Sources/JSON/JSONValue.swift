/// A JSON text as a tree (RFC 8259), strict: UTF-8, no duplicate members, no lone surrogates, bounded depth and size.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Parses one value with nothing but white space around it.
    public static func parse(_ bytes: Span<UInt8>, limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
        try parse(0..<bytes.count, of: bytes, limits: limits)
    }

    /// Parses a part of `bytes`, for example the range of a `JSONSlice`. Offsets in errors count from the start of `bytes`.
    public static func parse(_ range: Range<Int>, of bytes: Span<UInt8>, limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
        var reader = JSONReader(scanner: JSONScanner(bytes, range, limits: limits), valuesLeft: limits.maximumValues)
        let value = try reader.value(in: bytes)
        try reader.scanner.finish(in: bytes)
        return value
    }

    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
        try parse(bytes.span, limits: limits)
    }

    public static func parse(_ text: String, limits: JSONLimits = .default) throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), limits: limits)
    }

    public var kind: JSONKind {
        switch self {
        case .null: .null
        case .bool: .bool
        case .number: .number
        case .string: .string
        case .array: .array
        case .object: .object
        }
    }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var number: JSONNumber? { if case .number(let number) = self { number } else { nil } }
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    public var int64: Int64? { number?.int64 }
    public var uint64: UInt64? { number?.uint64 }
    public var double: Double? { number?.double }

    /// A member of an object; nil when the value is not an object or has no such member.
    public subscript(_ name: String) -> JSONValue? { object?[name] }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByNilLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral text: String) { self = .string(text) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .number(JSONNumber(value)) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// A duplicate name keeps its last value.
    public init(dictionaryLiteral members: (String, JSONValue)...) {
        var object = JSONObject()
        for (name, value) in members { object[name] = value }
        self = .object(object)
    }
}

/// Builds the tree. It recurses once per level, and the scanner bounds levels to `JSONLimits.deepest`.
private struct JSONReader {
    var scanner: JSONScanner
    var valuesLeft: Int

    mutating func value(in bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let kind = try scanner.kind(in: bytes)
        guard valuesLeft > 0 else { throw JSONError(.tooManyValues, at: scanner.offset) }
        valuesLeft -= 1
        switch kind {
        case .object: return .object(try object(in: bytes))
        case .array: return .array(try array(in: bytes))
        case .null, .bool, .number, .string: return try scalar(in: bytes)
        }
    }

    private mutating func scalar(in bytes: Span<UInt8>) throws(JSONError) -> JSONValue {
        let slice = try scanner.value(in: bytes)
        if let text = slice.string(in: bytes) { return .string(text) }
        if let value = slice.bool(in: bytes) { return .bool(value) }
        return slice.kind == .number ? .number(JSONNumber(checked: String(checked: bytes.extracting(slice.range)))) : .null
    }

    private mutating func array(in bytes: Span<UInt8>) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        var more = try scanner.enterArray(in: bytes)
        while more {
            elements.append(try value(in: bytes))
            more = try scanner.another(in: .array, bytes)
        }
        return elements
    }

    private mutating func object(in bytes: Span<UInt8>) throws(JSONError) -> JSONObject {
        var members = JSONObjectBuilder()
        var more = try scanner.enterObject(in: bytes)
        while more {
            let name = try scanner.name(in: bytes)
            guard members.append(name.string(in: bytes) ?? "", try value(in: bytes)) else {
                throw JSONError(.duplicateMember, at: name.range.lowerBound)
            }
            more = try scanner.another(in: .object, bytes)
        }
        return members.object
    }
}
