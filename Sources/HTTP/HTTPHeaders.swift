import Bytes

/// Header fields in the order received. Names are stored in lower case, because they are compared case-insensitively.
///
/// Owns the bytes of all fields and the range of each name and value. It makes a `String` only when a caller reads a field.
public struct HTTPHeaders: Sendable {
    public struct Field: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    private struct FieldRange {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var bytes: [UInt8] = []
    private var ranges: [FieldRange] = []

    public init() {}

    public init(_ fields: [(String, String)]) {
        for (name, value) in fields { append(name, value) }
    }

    public mutating func append(_ name: String, _ value: String) {
        let start = bytes.count
        for byte in name.utf8 { bytes.append(byte.lowercasedASCII) }
        let middle = bytes.count
        bytes.append(contentsOf: value.utf8)
        ranges.append(FieldRange(name: start..<middle, value: middle..<bytes.count))
    }

    /// Copies a complete head, whose fields the parser then appends as ranges.
    init(of head: Span<UInt8>) {
        bytes = [UInt8](capacity: head.count) { out in for index in head.indices { out.append(head[index]) } }
        // Most programs send at most eight fields. For browsers the array grows once or twice.
        ranges.reserveCapacity(8)
    }

    /// Appends a field of the head by its ranges.
    mutating func append(name: Range<Int>, value: Range<Int>) {
        var span = bytes.mutableSpan
        for index in name { span[index] = span[index].lowercasedASCII }
        ranges.append(FieldRange(name: name, value: value))
    }

    public var count: Int { ranges.count }

    public var fields: [Field] { ranges.map { Field(name: text($0.name), value: text($0.value)) } }

    /// The first value of a field. Callers pass `name` in lower case, here and below.
    public func first(_ name: String) -> String? { next(name, from: 0).map { text(ranges[$0].value) } }

    /// How many fields have this name.
    public func count(of name: String) -> Int {
        var count = 0
        var start = 0
        while let found = next(name, from: start) {
            count += 1
            start = found + 1
        }
        return count
    }

    /// Every value of a field, in order.
    public func all(_ name: String) -> [String] {
        var values: [String] = []
        var start = 0
        while let found = next(name, from: start) {
            values.append(text(ranges[found].value))
            start = found + 1
        }
        return values
    }

    /// The trimmed members of a comma-separated list field over all its lines, without empty members (RFC 9110 §5.6.1).
    public func list(_ name: String) -> [String] {
        var members: [String] = []
        eachMember(of: name) { member in
            members.append(String(opaque: member))
            return true
        }
        return members
    }

    /// Whether a list field contains `member`, compared without ASCII case. Callers pass `member` in lower case.
    public func list(_ name: String, contains member: String) -> Bool {
        var isThere = false
        eachMember(of: name) { candidate in
            isThere = candidate.isSame(withoutCase: member)
            return !isThere
        }
        return isThere
    }

    /// Calls `body` with each member of a list field until it returns false.
    public func eachMember(of name: String, _ body: (Span<UInt8>) -> Bool) {
        var field = 0
        while let found = next(name, from: field) {
            field = found + 1
            let value = ranges[found].value
            var start = value.lowerBound
            while start < value.upperBound {
                var end = start
                while end < value.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
                let member = bytes.span.trimmingOptionalWhitespace(start..<end)
                if !member.isEmpty, !body(bytes.span.extracting(member)) { return }
                start = end + 1
            }
        }
    }

    /// The index of the next field with this name, from `start` on.
    private func next(_ name: String, from start: Int) -> Int? {
        let expected = name.utf8.span
        var index = start
        while index < ranges.count {
            let written = ranges[index].name
            if written.count == expected.count, bytes.span.extracting(written).isSame(as: expected) { return index }
            index += 1
        }
        return nil
    }

    private func text(_ range: Range<Int>) -> String { String(opaque: bytes.span.extracting(range)) }
}

extension HTTPHeaders: Equatable {
    /// Compares the fields as text, in which different invalid UTF-8 bytes may be equal.
    public static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool { a.fields == b.fields }
}

extension String {
    /// Bytes above ASCII are opaque to HTTP (RFC 9110 §5.5), so invalid UTF-8 is replaced and not refused.
    init(opaque bytes: Span<UInt8>) {
        do {
            self = String(copying: try UTF8Span(validating: bytes))
        } catch {
            self = String(
                decoding: [UInt8](capacity: bytes.count) { out in for index in bytes.indices { out.append(bytes[index]) } }, as: UTF8.self)
        }
    }
}
