import Bytes

/// A JSON text and an index of its values. It answers what a tree would, from one array, and copies a text only when it is asked for.
///
/// Owns the bytes and the index. Invariant: all of the text was checked, as strictly as `JSONValue` checks and with its errors, so
/// that nothing read from it can fail.
public struct JSONDocument: Sendable {
    /// A value of the document it came from.
    public struct Value: Equatable, Sendable {
        public let kind: JSONKind
        fileprivate let index: Int
    }

    private let bytes: [UInt8]
    /// In the order of the text: a container before its elements, a member's name before its value.
    private let places: [JSONPlace]

    /// Parses one value with nothing but white space around it.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
        var indexer = JSONIndexer(bytes.span, limits)
        try indexer.value(in: bytes.span)
        try indexer.scanner.finish(in: bytes.span)
        self.bytes = bytes
        places = indexer.places
    }

    public var root: Value { value(at: 0) }

    private func value(at index: Int) -> Value { Value(kind: places[index].slice.kind, index: index) }

    /// How long the value is as it was written.
    public func byteCount(of value: Value) -> Int { places[value.index].slice.range.count }

    // MARK: Reading

    /// Tells each member of an object: its name as one word (see `JSONSlice.word`) and its value. Nothing of other kinds.
    public func visitMembers(of object: Value, _ body: (_ name: UInt128, Value) -> Void) {
        guard object.kind == .object else { return }
        let end = places[object.index].end
        var index = object.index + 1
        while index < end {
            body(places[index].slice.resolvedWord(in: bytes.span), value(at: index + 1))
            index = places[index + 1].end
        }
    }

    /// The members of an object; nil for other kinds.
    public func members(of object: Value) -> [(name: String, value: Value)]? {
        guard object.kind == .object else { return nil }
        var members: [(name: String, value: Value)] = []
        let end = places[object.index].end
        var index = object.index + 1
        while index < end {
            members.append((places[index].slice.string(in: bytes.span) ?? "", value(at: index + 1)))
            index = places[index + 1].end
        }
        return members
    }

    /// The elements of an array; nil for other kinds.
    public func elements(of array: Value) -> [Value]? {
        guard array.kind == .array else { return nil }
        var elements: [Value] = []
        let end = places[array.index].end
        var index = array.index + 1
        while index < end {
            elements.append(value(at: index))
            index = places[index].end
        }
        return elements
    }

    /// The text of a string, escapes resolved; nil for other kinds.
    public func string(_ value: Value) -> String? { places[value.index].slice.string(in: bytes.span) }

    public func bool(_ value: Value) -> Bool? { places[value.index].slice.bool(in: bytes.span) }

    /// The value of an integer literal (no fraction, no exponent) that fits; nil otherwise.
    public func int64(_ value: Value) -> Int64? {
        guard value.kind == .number else { return nil }
        return JSONNumber(checked: String(checked: bytes.span.extracting(places[value.index].slice.range))).int64
    }

    // MARK: Writing

    /// Appends the compact text, as `JSONValue` writes it.
    public func write(_ value: Value, into output: inout [UInt8]) {
        let place = places[value.index]
        switch value.kind {
        case .null, .bool, .number: output.append(contentsOf: bytes[place.slice.range])
        case .string:
            if place.slice.hasEscapes {
                output.appendJSONString(place.slice.string(in: bytes.span) ?? "")
            } else {
                // Text that was written without an escape needs none.
                output.append(contentsOf: bytes[place.slice.range])
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

    /// A container; recurses once per level, as the indexing did.
    private func write(from start: Int, into output: inout [UInt8]) {
        let container = places[start]
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
            index = places[index].end
        }
        output.append(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    }
}

/// A value or a member's name.
private struct JSONPlace {
    var slice: JSONSlice
    /// The index of the first entry after this value and its content.
    var end: Int
}

/// Builds the index. It recurses once per level, and the scanner bounds levels to `JSONLimits.deepest`.
private struct JSONIndexer {
    var scanner: JSONScanner
    private(set) var places: [JSONPlace] = []
    private var valuesLeft: Int
    /// Members up to which an object is searched from the start for a name used twice.
    private static let searchable = 16

    init(_ bytes: Span<UInt8>, _ limits: JSONLimits) {
        scanner = JSONScanner(bytes, limits: limits)
        valuesLeft = limits.maximumValues
        places.reserveCapacity(min(valuesLeft, 24))
    }

    mutating func value(in bytes: Span<UInt8>) throws(JSONError) {
        let kind = try scanner.kind(in: bytes)
        guard valuesLeft > 0 else { throw JSONError(.tooManyValues, at: scanner.offset) }
        valuesLeft -= 1
        let index = places.count
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
            places.append(JSONPlace(slice: try scanner.value(in: bytes), end: index + 1))
        }
    }

    private mutating func begin(_ kind: JSONKind) -> Int {
        let start = scanner.offset
        places.append(JSONPlace(slice: JSONSlice(kind: kind, range: start..<start, hasEscapes: false), end: 0))
        return start
    }

    private mutating func end(_ index: Int, _ kind: JSONKind, from start: Int) {
        places[index] = JSONPlace(slice: JSONSlice(kind: kind, range: start..<scanner.offset, hasEscapes: false), end: places.count)
    }

    private mutating func elements(in bytes: Span<UInt8>) throws(JSONError) {
        var more = try scanner.enterArray(in: bytes)
        while more {
            try value(in: bytes)
            more = try scanner.another(in: .array, bytes)
        }
    }

    private mutating func members(in bytes: Span<UInt8>) throws(JSONError) {
        let first = places.count
        var count = 0
        /// Filled only when there are too many members to search.
        var names: Set<ExactText> = []
        var more = try scanner.enterObject(in: bytes)
        while more {
            let index = places.count
            let name = try scanner.name(in: bytes)
            places.append(JSONPlace(slice: name, end: index + 1))
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
            if places[index].slice.isSameText(as: name, in: bytes) { return true }
            index = places[index + 1].end
        }
        return false
    }

    private func names(from first: Int, before last: Int, in bytes: Span<UInt8>) -> Set<ExactText> {
        var names: Set<ExactText> = []
        var index = first
        while index < last {
            names.insert(ExactText(places[index].slice, in: bytes))
            index = places[index + 1].end
        }
        return names
    }
}

extension JSONSlice {
    /// The bytes between the quotes.
    private var inside: Range<Int> { range.lowerBound + 1..<range.upperBound - 1 }

    /// An escaped name is as good as a plain one (RFC 8259 §8.3). No known name holds U+0000, which a word takes for its end.
    fileprivate func resolvedWord(in bytes: Span<UInt8>) -> UInt128 {
        guard hasEscapes, let text = string(in: bytes), !text.utf8.contains(0) else { return word(in: bytes) }
        return JSONSlice.word(text)
    }

    /// Whether two strings hold the same text, byte for byte.
    fileprivate func isSameText(as other: JSONSlice, in bytes: Span<UInt8>) -> Bool {
        guard !hasEscapes, !other.hasEscapes else { return ExactText(self, in: bytes) == ExactText(other, in: bytes) }
        return range.count == other.range.count && bytes.extracting(inside).isSame(as: bytes.extracting(other.inside))
    }
}

extension ExactText {
    fileprivate init(_ name: JSONSlice, in bytes: Span<UInt8>) { self.init(text: name.string(in: bytes) ?? "") }
}
