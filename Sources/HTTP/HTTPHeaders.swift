import Bytes

/// Header fields in the order received. Names are kept in lower case, for that is how they are compared.
///
/// Owns the bytes of all fields and the range of each name and value; a `String` is made only when a caller asks for it.
public struct HTTPHeaders: Sendable {
    public struct Field: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    private struct Place {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var bytes: [UInt8] = []
    private var places: [Place] = []

    public init() {}

    public init(_ fields: [(String, String)]) {
        for (name, value) in fields { append(name, value) }
    }

    public mutating func append(_ name: String, _ value: String) {
        let start = bytes.count
        for byte in name.utf8 { bytes.append(byte.lowercasedASCII) }
        let middle = bytes.count
        bytes.append(contentsOf: value.utf8)
        places.append(Place(name: start..<middle, value: middle..<bytes.count))
    }

    /// The fields of a complete head in `bytes`.
    init(of head: Span<UInt8>) {
        bytes = [UInt8](capacity: head.count) { out in for index in head.indices { out.append(head[index]) } }
        // About what programs send; for browsers the array grows once or twice.
        places.reserveCapacity(8)
    }

    /// A field of the head.
    mutating func append(name: Range<Int>, value: Range<Int>) {
        var span = bytes.mutableSpan
        for index in name { span[index] = span[index].lowercasedASCII }
        places.append(Place(name: name, value: value))
    }

    public var count: Int { places.count }

    public var fields: [Field] { places.map { Field(name: text($0.name), value: text($0.value)) } }

    /// The first value of a field. `name` is given in lower case, here and below.
    public func first(_ name: String) -> String? { next(name, from: 0).map { text(places[$0].value) } }

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
            values.append(text(places[found].value))
            start = found + 1
        }
        return values
    }

    /// The members of a comma-separated list field, over all its lines, trimmed, empty ones left out (RFC 9110 §5.6.1).
    public func list(_ name: String) -> [String] {
        var members: [String] = []
        eachMember(of: name) { member in
            members.append(String(opaque: member))
            return true
        }
        return members
    }

    /// Whether a list field has `member`, compared without ASCII case. `member` is given in lower case.
    public func list(_ name: String, contains member: String) -> Bool {
        var isThere = false
        eachMember(of: name) { candidate in
            isThere = candidate.isSame(withoutCase: member)
            return !isThere
        }
        return isThere
    }

    /// Lends the members of a list field, until `body` answers false.
    public func eachMember(of name: String, _ body: (Span<UInt8>) -> Bool) {
        var field = 0
        while let found = next(name, from: field) {
            field = found + 1
            let value = places[found].value
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

    /// The next field of this name from the one at `start` on.
    private func next(_ name: String, from start: Int) -> Int? {
        let expected = name.utf8.span
        var index = start
        while index < places.count {
            let written = places[index].name
            if written.count == expected.count, bytes.span.extracting(written).isSame(as: expected) { return index }
            index += 1
        }
        return nil
    }

    private func text(_ range: Range<Int>) -> String { String(opaque: bytes.span.extracting(range)) }
}

extension HTTPHeaders: Equatable {
    /// As they are read: two bytes that are no text may read alike.
    public static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool { a.fields == b.fields }
}

extension String {
    /// Bytes above ASCII are opaque to HTTP (RFC 9110 §5.5); those that are not UTF-8 are replaced, never an error.
    init(opaque bytes: Span<UInt8>) {
        do {
            self = String(copying: try UTF8Span(validating: bytes))
        } catch {
            self = String(
                decoding: [UInt8](capacity: bytes.count) { out in for index in bytes.indices { out.append(bytes[index]) } }, as: UTF8.self)
        }
    }
}
