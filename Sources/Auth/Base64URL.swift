/// base64url without padding (RFC 4648 §5, RFC 7515 §2), strict: one text per byte string.
///
/// Two texts for one signature would let a token pass as two different ones, so white space, padding, other alphabets and
/// set bits after the last byte (RFC 4648 §3.5) are all refused.
public enum Base64URL {
    /// The decoded bytes; nil when the text is not the one canonical encoding of any.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        // 4 n + 1 characters carry six bits less than a byte.
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var window: UInt32 = 0
        var bits = 0
        for index in text.indices {
            guard let digit = value(of: text[index]) else { return nil }
            window = window << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: window >> UInt32(bits)))
                window &= (1 << UInt32(bits)) - 1
            }
        }
        return window == 0 ? bytes : nil
    }

    public static func decode(_ text: String) -> [UInt8]? {
        decode(text.utf8.span)
    }

    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var window: UInt32 = 0
        var bits = 0
        for byte in bytes {
            window = window << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(window >> UInt32(bits) & 0x3F)])
                window &= (1 << UInt32(bits)) - 1
            }
        }
        if bits > 0 { text.append(alphabet[Int(window << UInt32(6 - bits) & 0x3F)]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
