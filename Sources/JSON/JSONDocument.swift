import Bytes

/// A JSON text and an index of its values. The index is one array instead of a tree, and a string is copied only when a caller reads it.
///
/// Owns the bytes and the index. Invariant: the parser has checked the whole text with the rules and errors of `JSONValue`, so reading a
/// value cannot fail.
public struct JSONDocument: Sendable {
    /// A reference to a value, valid only in the document that returned it.
    public struct Value: Equatable, Sendable {
        public let kind: JSONKind
        fileprivate let index: Int
    }

    private let bytes: [UInt8]
    /// The values and names in the order of the text: a container precedes its elements, and a member's name precedes its value.
    private let entries: [JSONEntry]

    /// Parses one value with nothing but white space around it.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
        try self.init(parsing: 0..<bytes.count, of: bytes, limits: limits)
    }

    /// Parses a part of `bytes`, for example the range of a `JSONSlice`. Offsets in errors count from the start of `bytes`.
    public init(parsing range: Range<Int>, of bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
        var indexer = JSONIndexer(bytes.span, range, limits)
        try indexer.value(in: bytes.span)
        try indexer.scanner.finish(in: bytes.span)
        self.bytes = bytes
        entries = indexer.entries
    }

    public var root: Value { value(at: 0) }

    private func value(at index: Int) -> Value { Value(kind: entries[index].slice.kind, index: index) }

    /// The length of the value in the source text.
    public func byteCount(of value: Value) -> Int { entries[value.index].slice.range.count }

    // MARK: Reading

    /// Calls `body` with each member of an object: its name as a word (see `JSONSlice.word`) and its value. Other kinds have no members.
    public func visitMembers(of object: Value, _ body: (_ name: UInt128, Value) -> Void) {
        guard object.kind == .object else { return }
        let end = entries[object.index].end
        var index = object.index + 1
        while index < end {
            body(entries[index].slice.resolvedWord(in: bytes.span), value(at: index + 1))
            index = entries[index + 1].end
        }
    }

    /// The members of an object; nil for other kinds.
    public func members(of object: Value) -> [(name: String, value: Value)]? {
        guard object.kind == .object else { return nil }
        var members: [(name: String, value: Value)] = []
        let end = entries[object.index].end
        var index = object.index + 1
        while index < end {
            members.append((entries[index].slice.string(in: bytes.span) ?? "", value(at: index + 1)))
            index = entries[index + 1].end
        }
        return members
    }

    /// The elements of an array; nil for other kinds.
    public func elements(of array: Value) -> [Value]? {
        guard array.kind == .array else { return nil }
        var elements: [Value] = []
        let end = entries[array.index].end
        var index = array.index + 1
        while index < end {
            elements.append(value(at: index))
            index = entries[index].end
        }
        return elements
    }

    /// The text of a string, escapes resolved; nil for other kinds.
    public func string(_ value: Value) -> String? { entries[value.index].slice.string(in: bytes.span) }

    public func bool(_ value: Value) -> Bool? { entries[value.index].slice.bool(in: bytes.span) }

    /// The number in its source form; nil for other kinds.
    public func number(_ value: Value) -> JSONNumber? {
        guard value.kind == .number else { return nil }
        return JSONNumber(checked: String(checked: bytes.span.extracting(entries[value.index].slice.range)))
    }

    /// The value of an integer literal (no fraction, no exponent) that fits; nil otherwise.
    public func int64(_ value: Value) -> Int64? { entries[value.index].slice.integer(in: bytes.span) }

    // MARK: Writing

    /// Appends the compact text in the format of `JSONValue`.
    public func write(_ value: Value, into output: inout [UInt8]) {
        let entry = entries[value.index]
        switch value.kind {
        case .null, .bool, .number: output.append(contentsOf: bytes[entry.slice.range])
        case .string:
            if entry.slice.hasEscapes {
                output.appendJSONString(entry.slice.string(in: bytes.span) ?? "")
            } else {
                // A string without escapes in the source needs none in the output.
                output.append(contentsOf: bytes[entry.slice.range])
            }
        case .array, .object: write(from: value.index, into: &output)
        }
    }

    /// The compact text.
    public func text(_ value: Value) -> String {
        var output: [UInt8] = []
        write(value, into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Writes a container. It recurses once per level, and the indexer has bounded the levels.
    private func write(from start: Int, into output: inout [UInt8]) {
        let container = entries[start]
        let isObject = container.slice.kind == .object
        output.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
        var index = start + 1
        while index < container.end {
            if index > start + 1 { output.append(UInt8(ascii: ",")) }
            if isObject {
                write(value(at: index), into: &output)
                output.append(UInt8(ascii: ":"))
                index += 1
            }
            write(value(at: index), into: &output)
            index = entries[index].end
        }
        output.append(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    }
}

/// The index entry of a value or of a member's name.
private struct JSONEntry {
    var slice: JSONSlice
    /// The index of the first entry after this value and its content.
    var end: Int
}

/// Builds the index. It recurses once per level, and the scanner bounds levels to `JSONLimits.deepest`.
private struct JSONIndexer {
    var scanner: JSONScanner
    private(set) var entries: [JSONEntry] = []
    private var valuesLeft: Int
    /// The number of members up to which a linear search finds duplicate names.
    private static let searchable = 16

    init(_ bytes: Span<UInt8>, _ range: Range<Int>, _ limits: JSONLimits) {
        scanner = JSONScanner(bytes, range, limits: limits)
        valuesLeft = limits.maximumValues
        entries.reserveCapacity(min(valuesLeft, 24))
    }

    mutating func value(in bytes: Span<UInt8>) throws(JSONError) {
        let kind = try scanner.kind(in: bytes)
        guard valuesLeft > 0 else { throw JSONError(.tooManyValues, at: scanner.offset) }
        valuesLeft -= 1
        let index = entries.count
        switch kind {
        case .object:
            let start = begin(.object)
            try members(in: bytes)
            end(index, .object, from: start)
        case .array:
            let start = begin(.array)
            try elements(in: bytes)
            end(index, .array, from: start)
        case .null, .bool, .number, .string:
            entries.append(JSONEntry(slice: try scanner.value(in: bytes), end: index + 1))
        }
    }

    private mutating func begin(_ kind: JSONKind) -> Int {
        let start = scanner.offset
        entries.append(JSONEntry(slice: JSONSlice(kind: kind, range: start..<start, hasEscapes: false), end: 0))
        return start
    }

    private mutating func end(_ index: Int, _ kind: JSONKind, from start: Int) {
        entries[index] = JSONEntry(slice: JSONSlice(kind: kind, range: start..<scanner.offset, hasEscapes: false), end: entries.count)
    }

    private mutating func elements(in bytes: Span<UInt8>) throws(JSONError) {
        var more = try scanner.enterArray(in: bytes)
        while more {
            try value(in: bytes)
            more = try scanner.another(in: .array, bytes)
        }
    }

    private mutating func members(in bytes: Span<UInt8>) throws(JSONError) {
        let first = entries.count
        var count = 0
        /// Used only when there are too many members for a linear search.
        var names: Set<ExactText> = []
        var more = try scanner.enterObject(in: bytes)
        while more {
            let index = entries.count
            let name = try scanner.name(in: bytes)
            entries.append(JSONEntry(slice: name, end: index + 1))
            try value(in: bytes)
            if count < Self.searchable {
                if isUsed(name, from: first, before: index, in: bytes) { throw JSONError(.duplicateMember, at: name.range.lowerBound) }
            } else {
                if names.isEmpty { names = self.names(from: first, before: index, in: bytes) }
                guard names.insert(ExactText(name, in: bytes)).inserted else {
                    throw JSONError(.duplicateMember, at: name.range.lowerBound)
                }
            }
            count += 1
            more = try scanner.another(in: .object, bytes)
        }
    }

    private func isUsed(_ name: JSONSlice, from first: Int, before last: Int, in bytes: Span<UInt8>) -> Bool {
        var index = first
        while index < last {
            if entries[index].slice.isSameText(as: name, in: bytes) { return true }
            index = entries[index + 1].end
        }
        return false
    }

    private func names(from first: Int, before last: Int, in bytes: Span<UInt8>) -> Set<ExactText> {
        var names: Set<ExactText> = []
        var index = first
        while index < last {
            names.insert(ExactText(entries[index].slice, in: bytes))
            index = entries[index + 1].end
        }
        return names
    }
}

extension JSONSlice {
    /// The bytes between the quotes.
    private var inside: Range<Int> { range.lowerBound + 1..<range.upperBound - 1 }

    /// The word of a name after resolving escapes (RFC 8259 §8.3). Names with U+0000 are excluded, because a word ends at it.
    fileprivate func resolvedWord(in bytes: Span<UInt8>) -> UInt128 {
        guard hasEscapes, let text = string(in: bytes), !text.utf8.contains(0) else { return word(in: bytes) }
        return JSONSlice.word(text)
    }

    /// Whether two strings have equal bytes after resolving escapes.
    fileprivate func isSameText(as other: JSONSlice, in bytes: Span<UInt8>) -> Bool {
        guard !hasEscapes, !other.hasEscapes else { return ExactText(self, in: bytes) == ExactText(other, in: bytes) }
        return range.count == other.range.count && bytes.extracting(inside).isSame(as: bytes.extracting(other.inside))
    }
}

extension ExactText {
    fileprivate init(_ name: JSONSlice, in bytes: Span<UInt8>) { self.init(text: name.string(in: bytes) ?? "") }
}
