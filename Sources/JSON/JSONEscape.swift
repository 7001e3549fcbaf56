/// Escapes of RFC 8259 §7.
enum JSONEscape {
    /// Checks the escape whose backslash is at `start` (a surrogate pair counts as one) and returns the offset after it.
    static func end(at start: Int, before end: Int, in bytes: Span<UInt8>, refusesNUL: Bool) throws(JSONError) -> Int {
        guard start + 1 < end else { throw JSONError(.endOfInput, at: end) }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start + 2
        case UInt8(ascii: "u"):
            let unit = try unit(at: start, before: end, in: bytes)
            if unit == 0, refusesNUL { throw JSONError(.nul, at: start) }
            guard unit & 0xF800 == 0xD800 else { return start + 6 }
            guard unit < 0xDC00 else { throw JSONError(.loneSurrogate, at: start) }
            guard start + 6 < end else { throw JSONError(.endOfInput, at: end) }
            guard bytes[start + 6] == UInt8(ascii: "\\") else { throw JSONError(.loneSurrogate, at: start) }
            guard start + 7 < end else { throw JSONError(.endOfInput, at: end) }
            guard bytes[start + 7] == UInt8(ascii: "u") else { throw JSONError(.loneSurrogate, at: start) }
            guard try self.unit(at: start + 6, before: end, in: bytes) & 0xFC00 == 0xDC00 else {
                throw JSONError(.loneSurrogate, at: start)
            }
            return start + 12
        default:
            throw JSONError(.badEscape, at: start)
        }
    }

    /// Appends the text of a checked string (without its quotes), escapes resolved.
    static func resolve(_ range: Range<Int>, of bytes: Span<UInt8>, into text: inout [UInt8]) {
        var i = range.lowerBound
        while i < range.upperBound {
            let byte = bytes[i]
            guard byte == UInt8(ascii: "\\"), i + 1 < range.upperBound else {
                text.append(byte)
                i += 1
                continue
            }
            i += 2
            switch bytes[i - 1] {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = fourHexDigits(at: i, before: range.upperBound, in: bytes) ?? 0
                i += 4
                if scalar & 0xFC00 == 0xD800 {
                    let low = fourHexDigits(at: i + 2, before: range.upperBound, in: bytes) ?? 0
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + low & 0x3FF
                    i += 6
                }
                text.append(scalar: scalar)
            case let same: text.append(same)
            }
        }
    }

    /// The UTF-16 code unit of the `\uXXXX` at `start`.
    private static func unit(at start: Int, before end: Int, in bytes: Span<UInt8>) throws(JSONError) -> UInt32 {
        guard start + 6 <= end else { throw JSONError(.endOfInput, at: end) }
        guard let unit = fourHexDigits(at: start + 2, before: end, in: bytes) else { throw JSONError(.badEscape, at: start) }
        return unit
    }

    private static func fourHexDigits(at start: Int, before end: Int, in bytes: Span<UInt8>) -> UInt32? {
        guard start + 4 <= end else { return nil }
        var value: UInt32 = 0
        for i in start..<start + 4 {
            switch bytes[i] {
            case let b where b.isDigit: value = value << 4 | UInt32(b - UInt8(ascii: "0"))
            case let b where (b | 0x20) &- UInt8(ascii: "a") < 6: value = value << 4 | UInt32((b | 0x20) - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}

/// Well-formed sequences of RFC 3629 §4.
enum UTF8Sequence {
    /// The length of the sequence whose first byte (0x80 or above) is at `i`; zero when it is malformed or truncated.
    static func length(at i: Int, before end: Int, in bytes: Span<UInt8>) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes[i] {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 0
        }
        guard i + length <= end, second.contains(bytes[i + 1]) else { return 0 }
        for j in i + 2..<i + length where bytes[j] & 0xC0 != 0x80 { return 0 }
        return length
    }
}

extension [UInt8] {
    /// Appends a Unicode scalar value as UTF-8.
    fileprivate mutating func append(scalar: UInt32) {
        switch scalar {
        case 0..<0x80:
            append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            append(UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        case 0x800..<0x10000:
            append(UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        default:
            append(UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3F))
        }
    }
}
