/// A fast scanner for the objects that most programs write: ASCII without white space, escapes or nesting, and names of at most eight
/// letters. It reads each byte once. `JSONScanner` handles every other text, valid or not.
public enum PlainObject {
    /// Calls `visit` with the members in order until it returns false. Names are words (see `word(_:)`); values are slices of strings or
    /// unsigned integers, equal to those of `JSONScanner`.
    /// - Returns: the offset after the object; nil when the object is not plain or not complete. The caller then scans it again.
    public static func scan(from start: Int, of bytes: Span<UInt8>, _ visit: (UInt64, JSONSlice) -> Bool) -> Int? {
        let end = bytes.count
        var next = start
        guard next < end, bytes[next] == UInt8(ascii: "{") else { return nil }
        next &+= 1
        while next < end, bytes[next] == UInt8(ascii: "\"") {
            var (name, shift) = (UInt64(0), UInt64(0))
            next &+= 1
            while next < end, bytes[next].isLetter, shift < 64 {
                name |= UInt64(bytes[next]) &<< shift
                shift &+= 8
                next &+= 1
            }
            guard next &+ 2 < end, bytes[next] == UInt8(ascii: "\""), bytes[next &+ 1] == UInt8(ascii: ":") else { return nil }
            next &+= 2
            let start = next
            let kind: JSONKind
            if bytes[start] == UInt8(ascii: "\"") {
                kind = .string
                next = endOfText(bytes, from: start &+ 1, before: end)
                guard next < end, bytes[next] == UInt8(ascii: "\"") else { return nil }
                next &+= 1
            } else {
                kind = .number
                while next < end, bytes[next].isDigit { next &+= 1 }
                // RFC 8259 §6: no leading zero.
                guard next > start, bytes[start] != UInt8(ascii: "0") || next == start &+ 1 else { return nil }
            }
            guard next < end, visit(name, JSONSlice(kind: kind, range: start..<next, hasEscapes: false)) else { return nil }
            let separator = bytes[next]
            next &+= 1
            if separator == UInt8(ascii: "}") { return next }
            guard separator == UInt8(ascii: ",") else { return nil }
        }
        return nil
    }

    /// A name of at most eight letters as a word, with its first letter in the lowest byte.
    public static func word(_ name: String) -> UInt64 {
        assert(name.utf8.count <= 8)
        return name.utf8.reversed().reduce(0) { $0 &<< 8 | UInt64($1) }
    }

    /// The offset of the first byte that is not plain text. Blocks pay off only for long texts, so the first bytes are read one by one.
    @inline(__always)
    private static func endOfText(_ bytes: Span<UInt8>, from start: Int, before end: Int) -> Int {
        var next = start
        let short = min(end, start &+ 32)
        while next < short, bytes[next].isPlain { next &+= 1 }
        guard next == short, short < end else { return next }
        next = JSONScanner.skipPlain(bytes, from: next, before: end)
        while next < end, bytes[next].isPlain { next &+= 1 }
        return next
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
    fileprivate var isPlain: Bool { self &- 0x20 < 0x60 && self != UInt8(ascii: "\"") && self != UInt8(ascii: "\\") }
}
