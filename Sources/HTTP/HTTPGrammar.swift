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
    /// RFC 3986 §3.3, pchar and `/`; `%` is looked at separately.
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

    var isDigit: Bool { (0x30...0x39).contains(self) }
}

extension HTTPHeaders {
    /// Whether `name` is a token: one or more tchar (RFC 9110 §5.6.2).
    public static func isToken(_ name: some StringProtocol) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy(isTokenByte)
    }

    /// tchar (RFC 9110 §5.6.2).
    public static func isTokenByte(_ byte: UInt8) -> Bool { ByteSet.token.contains(byte) }
}

extension StringProtocol {
    /// Whether every byte is in `set` or belongs to a complete percent-escape.
    func isPercentEncoded(within set: ByteSet) -> Bool {
        var bytes = utf8.makeIterator()
        while let byte = bytes.next() {
            if set.contains(byte) { continue }
            guard byte == UInt8(ascii: "%"), bytes.next()?.hexValue != nil, bytes.next()?.hexValue != nil else { return false }
        }
        return true
    }

    /// Whether this is `uri-host [":" port]` with a host that is not empty (RFC 9112 §3.2, RFC 3986 §3.2.2).
    var isAuthority: Bool {
        var host = Substring(self)
        var port: Substring?
        if host.utf8.first == UInt8(ascii: "[") {
            guard let bracket = host.firstIndex(of: "]") else { return false }
            let after = host[host.index(after: bracket)...]
            if !after.isEmpty {
                guard after.utf8.first == UInt8(ascii: ":") else { return false }
                port = after.dropFirst()
            }
            let literal = host[..<bracket].dropFirst()
            guard literal.contains(":"), literal.utf8.allSatisfy(ByteSet.literal.contains) else { return false }
        } else {
            if let colon = host.firstIndex(of: ":") {
                port = host[host.index(after: colon)...]
                host = host[..<colon]
            }
            guard !host.isEmpty, host.isPercentEncoded(within: .host) else { return false }
        }
        guard let port, !port.isEmpty else { return true }
        return port.utf8.allSatisfy(\.isDigit) && UInt16(port) != nil
    }
}
