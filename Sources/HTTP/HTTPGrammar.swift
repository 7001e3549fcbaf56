/// The character classes of RFC 9110 and RFC 3986, each a 128-bit set: membership is one shift.
struct ByteSet: Sendable {
    private let low: UInt64
    private let high: UInt64

    init(_ members: String) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for byte in members.utf8 {
            if byte < 64 { low |= 1 &<< UInt64(byte) } else { high |= 1 &<< UInt64(byte & 63) }
        }
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 == 1
    }

    private static let alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    private static let unreserved = alphanumeric + "-._~"
    private static let subDelimiters = "!$&'()*+,;="

    /// RFC 9110 §5.6.2
    static let token = ByteSet(alphanumeric + "!#$%&'*+-.^_`|~")
    /// RFC 3986 §3.3, pchar and `/`; `%` is checked separately.
    static let path = ByteSet(unreserved + subDelimiters + ":@/")
    /// RFC 3986 §3.4
    static let query = ByteSet(unreserved + subDelimiters + ":@/?")
    /// RFC 3986 §3.2.2, reg-name
    static let host = ByteSet(unreserved + subDelimiters)
    /// RFC 3986 §3.2.2, between the brackets of an IP literal
    static let literal = ByteSet("0123456789abcdefABCDEF:.")
}

extension UInt8 {
    /// The value of a hexadecimal digit.
    var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x41...0x46: self &- 0x41 &+ 10
        case 0x61...0x66: self &- 0x61 &+ 10
        default: nil
        }
    }

    var isDigit: Bool { self &- 0x30 < 10 }

    /// A…Z in lower case, and everything else as it is.
    var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension HTTPHeaders {
    /// Whether `name` is a token: one or more tchar (RFC 9110 §5.6.2).
    public static func isToken(_ name: String) -> Bool { isToken(name.utf8.span) }

    public static func isToken(_ name: Span<UInt8>) -> Bool {
        for index in name.indices where !isTokenByte(name[index]) { return false }
        return !name.isEmpty
    }

    /// tchar (RFC 9110 §5.6.2).
    public static func isTokenByte(_ byte: UInt8) -> Bool { ByteSet.token.contains(byte) }
}

// Bytes, not characters: a combining mark behind a space makes one character of both.
extension Span<UInt8> {
    /// Whether this is `text`, which is given in lower case, in any ASCII case.
    func isSame(withoutCase text: String) -> Bool {
        let other = text.utf8.span
        guard count == other.count else { return false }
        for index in indices where self[index].lowercasedASCII != other[index] { return false }
        return true
    }

    func begins(withoutCase prefix: String) -> Bool {
        let length = prefix.utf8.count
        return count >= length && extracting(first: length).isSame(withoutCase: prefix)
    }

    /// The offset of the first `byte` from `start` on.
    func first(_ byte: UInt8, from start: Int = 0) -> Int? {
        var index = start
        while index < count {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }

    /// A part of it without leading and trailing OWS: spaces and tabs (RFC 9110 §5.6.3).
    func trimmingOptionalWhitespace(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
        while start < end, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }

    /// Whether every byte is in `set` or belongs to a complete percent-escape.
    func isPercentEncoded(within set: ByteSet) -> Bool {
        var index = 0
        while index < count {
            if set.contains(self[index]) {
                index += 1
                continue
            }
            guard self[index] == UInt8(ascii: "%"), index + 2 < count, self[index + 1].hexValue != nil, self[index + 2].hexValue != nil
            else { return false }
            index += 3
        }
        return true
    }

    /// Whether this is `uri-host [":" port]` with a host that is not empty (RFC 9112 §3.2, RFC 3986 §3.2.2).
    var isAuthority: Bool {
        let hostEnd: Int
        if count > 0, self[0] == UInt8(ascii: "[") {
            guard let bracket = first(UInt8(ascii: "]")) else { return false }
            let literal = extracting(1..<bracket)
            guard literal.first(UInt8(ascii: ":")) != nil else { return false }
            for index in literal.indices where !ByteSet.literal.contains(literal[index]) { return false }
            hostEnd = bracket + 1
        } else {
            hostEnd = first(UInt8(ascii: ":")) ?? count
            guard hostEnd > 0, extracting(first: hostEnd).isPercentEncoded(within: .host) else { return false }
        }
        guard hostEnd < count else { return true }
        guard self[hostEnd] == UInt8(ascii: ":") else { return false }
        var port = 0
        for index in hostEnd + 1..<count {
            guard self[index].isDigit else { return false }
            port = port * 10 + Int(self[index] &- 0x30)
            guard port <= 65_535 else { return false }
        }
        return true
    }
}
