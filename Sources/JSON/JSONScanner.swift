/// A pull scanner over a borrowed span. It stores only offsets, so callers pass the same span to every call.
///
/// Owns the position and the nesting depth. Invariant: `offset <= end`, and the bytes before `offset` are valid by RFC 8259
/// (grammar, UTF-8, surrogates, depth). The scanner does not check for duplicate member names: `JSONValue` refuses
/// them in every object, and a reader of known members refuses them in its object.
///
/// Scanning never allocates.
public struct JSONScanner {
    public private(set) var offset: Int
    public let end: Int
    private let limits: JSONLimits
    private var depth = 0

    /// Scans all of `bytes`.
    public init(_ bytes: Span<UInt8>, limits: JSONLimits = .default) {
        self.init(bytes, 0..<bytes.count, limits: limits)
    }

    /// Scans a part of `bytes`; `range` is cut to the span's bounds.
    public init(_ bytes: Span<UInt8>, _ range: Range<Int>, limits: JSONLimits = .default) {
        let part = range.clamped(to: 0..<bytes.count)
        offset = part.lowerBound
        end = part.upperBound
        self.limits = limits
    }

    // MARK: Structure

    /// Skips white space and returns the kind of the value that begins at `offset`.
    public mutating func kind(in bytes: Span<UInt8>) throws(JSONError) -> JSONKind {
        switch try nextByte(in: bytes) {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: throw JSONError(.unexpectedByte, at: offset)
        }
    }

    /// Consumes `{`, and `}` too when the object is empty. True when a member follows: call `name`, a value, `another`.
    public mutating func enterObject(in bytes: Span<UInt8>) throws(JSONError) -> Bool {
        try enter(UInt8(ascii: "{"), closing: UInt8(ascii: "}"), in: bytes)
    }

    /// Consumes `[`, and `]` too when the array is empty. True when an element follows: call for a value, then `another`.
    public mutating func enterArray(in bytes: Span<UInt8>) throws(JSONError) -> Bool {
        try enter(UInt8(ascii: "["), closing: UInt8(ascii: "]"), in: bytes)
    }

    /// Consumes a member name and its colon.
    public mutating func name(in bytes: Span<UInt8>) throws(JSONError) -> JSONSlice {
        guard try nextByte(in: bytes) == UInt8(ascii: "\"") else { throw JSONError(.unexpectedByte, at: offset) }
        let name = try string(in: bytes)
        guard try nextByte(in: bytes) == UInt8(ascii: ":") else { throw JSONError(.unexpectedByte, at: offset) }
        offset += 1
        return name
    }

    /// After a value inside `container`: consumes `,` (true) or the closing bracket (false).
    public mutating func another(in container: JSONContainer, _ bytes: Span<UInt8>) throws(JSONError) -> Bool {
        let byte = try nextByte(in: bytes)
        if byte == UInt8(ascii: ",") {
            offset += 1
            return true
        }
        guard byte == container.closing else { throw JSONError(.unexpectedByte, at: offset) }
        offset += 1
        depth -= 1
        return false
    }

    /// Consumes one value of any kind, checking all of it, and returns its slice.
    public mutating func value(in bytes: Span<UInt8>) throws(JSONError) -> JSONSlice {
        let kind = try kind(in: bytes)
        let start = offset
        switch kind {
        case .string: return try string(in: bytes)
        case .number: try number(in: bytes)
        case .bool, .null: try literal(in: bytes)
        case .object, .array: try skipContainer(in: bytes)
        }
        return JSONSlice(kind: kind, range: start..<offset, hasEscapes: false)
    }

    /// Checks that only white space follows.
    public mutating func finish(in bytes: Span<UInt8>) throws(JSONError) {
        skipWhitespace(in: bytes)
        guard offset == end else { throw JSONError(.trailingBytes, at: offset) }
    }

    private mutating func enter(_ opening: UInt8, closing: UInt8, in bytes: Span<UInt8>) throws(JSONError) -> Bool {
        guard try nextByte(in: bytes) == opening else { throw JSONError(.unexpectedByte, at: offset) }
        guard depth < limits.maximumDepth else { throw JSONError(.tooDeep, at: offset) }
        offset += 1
        if try nextByte(in: bytes) == closing {
            offset += 1
            return false
        }
        depth += 1
        return true
    }

    /// Follows nesting with one bit per level (set = object) instead of recursion.
    private mutating func skipContainer(in bytes: Span<UInt8>) throws(JSONError) {
        var objects: UInt64 = 0
        var levels = 0
        values: while true {
            switch try kind(in: bytes) {
            case .object:
                if try enterObject(in: bytes) {
                    objects = objects &<< 1 | 1
                    levels += 1
                    _ = try name(in: bytes)
                    continue values
                }
            case .array:
                if try enterArray(in: bytes) {
                    objects = objects &<< 1
                    levels += 1
                    continue values
                }
            case .string: _ = try string(in: bytes)
            case .number: try number(in: bytes)
            case .bool, .null: try literal(in: bytes)
            }
            while levels > 0 {
                let container: JSONContainer = objects & 1 == 1 ? .object : .array
                if try another(in: container, bytes) {
                    if container == .object { _ = try name(in: bytes) }
                    continue values
                }
                objects = objects &>> 1
                levels -= 1
            }
            return
        }
    }

    // MARK: Scalars

    private mutating func literal(in bytes: Span<UInt8>) throws(JSONError) {
        let start = offset
        switch bytes[offset] {
        case UInt8(ascii: "t"): try expect(rue, from: start, in: bytes)
        case UInt8(ascii: "f"): try expect(alse, from: start, in: bytes)
        default: try expect(ull, from: start, in: bytes)
        }
    }

    /// Consumes a literal whose first byte is checked. `rest` contains the other bytes, the first one in the lowest byte.
    private mutating func expect(_ rest: UInt32, from start: Int, in bytes: Span<UInt8>) throws(JSONError) {
        var rest = rest
        offset += 1
        while rest != 0 {
            guard offset < end else { throw JSONError(.endOfInput, at: offset) }
            guard bytes[offset] == UInt8(truncatingIfNeeded: rest) else { throw JSONError(.badLiteral, at: start) }
            rest >>= 8
            offset += 1
        }
    }

    /// RFC 8259 §6: `[ minus ] int [ frac ] [ exp ]`, no leading zero.
    private mutating func number(in bytes: Span<UInt8>) throws(JSONError) {
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        guard offset < end else { throw JSONError(.endOfInput, at: offset) }
        if bytes[offset] == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits(in: bytes)
        }
        if offset < end, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits(in: bytes)
        }
        if offset < end, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < end, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
            try digits(in: bytes)
        }
        // Only structure or the end may follow a number. This check reports `01` and `1x` at the faulty byte.
        if offset < end, bytes[offset].isNumberTail { throw JSONError(.badNumber, at: offset) }
    }

    private mutating func digits(in bytes: Span<UInt8>) throws(JSONError) {
        guard offset < end else { throw JSONError(.endOfInput, at: offset) }
        guard bytes[offset].isDigit else { throw JSONError(.badNumber, at: offset) }
        while offset < end, bytes[offset].isDigit { offset += 1 }
    }

    /// Consumes the string at `offset` by RFC 8259 §7, and its bytes by RFC 3629 §4.
    private mutating func string(in bytes: Span<UInt8>) throws(JSONError) -> JSONSlice {
        let start = offset
        var i = offset + 1
        var hasEscapes = false
        // Names are short, so the first bytes are read one by one and longer texts in blocks.
        var nextBlock = i + Self.blockBytes
        while i < end {
            if i >= nextBlock {
                i = Self.skipPlain(bytes, from: i, before: end)
                nextBlock = i + Self.blockBytes
                guard i < end else { break }
            }
            let byte = bytes[i]
            if byte == UInt8(ascii: "\"") {
                offset = i + 1
                return JSONSlice(kind: .string, range: start..<offset, hasEscapes: hasEscapes)
            } else if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                i = try JSONEscape.end(at: i, before: end, in: bytes, refusesNUL: limits.refusesNUL)
            } else if byte < 0x20 {
                throw JSONError(.controlCharacter, at: i)
            } else if byte < 0x80 {
                i += 1
            } else {
                let length = UTF8Sequence.length(at: i, before: end, in: bytes)
                guard length > 0 else { throw JSONError(.badUTF8, at: i) }
                i += length
            }
        }
        throw JSONError(.endOfInput, at: end)
    }

    private static let blockBytes = 16

    /// The offset of the first block that is not all plain ASCII. The blocks have a constant size so that the compiler vectorizes the loop.
    @inline(__always)
    static func skipPlain(_ bytes: Span<UInt8>, from start: Int, before end: Int) -> Int {
        var i = start
        while i &+ blockBytes <= end {
            let block = bytes.extracting(i..<(i &+ blockBytes))
            var special: UInt8 = 0
            for index in 0..<blockBytes {
                let byte = block[index]
                let isSpecial = byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                special |= isSpecial ? 1 : 0
            }
            guard special == 0 else { break }
            i &+= blockBytes
        }
        return i
    }

    private mutating func nextByte(in bytes: Span<UInt8>) throws(JSONError) -> UInt8 {
        skipWhitespace(in: bytes)
        guard offset < end else { throw JSONError(.endOfInput, at: offset) }
        return bytes[offset]
    }

    private mutating func skipWhitespace(in bytes: Span<UInt8>) {
        while offset < end {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }
}

private let rue: UInt32 = 0x65_75_72
private let alse: UInt32 = 0x65_73_6C_61
private let ull: UInt32 = 0x6C_6C_75

public enum JSONKind: String, CaseIterable, Sendable {
    case object, array, string, number, bool, null
}

public enum JSONContainer: Sendable {
    case object, array
    var closing: UInt8 { self == .object ? UInt8(ascii: "}") : UInt8(ascii: "]") }
}

extension UInt8 {
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
    /// Whether the byte would continue a number or a word, which makes it invalid after a number.
    fileprivate var isNumberTail: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
