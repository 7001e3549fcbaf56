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
        // All digits together: a bit above the sixth says that one of them was none.
        var seen: UInt32 = 0
        var rest: UInt32 = 0
        bytes.append(addingCapacity: text.count / 4 * 3 + 2) { out in
            var position = 0
            // First the digits of a block, which the compiler does with vectors, then the bytes they make.
            while position &+ blockDigits <= text.count {
                let block = text.extracting(position..<(position &+ blockDigits))
                var digits = InlineArray<32, UInt8>(repeating: 0)
                var all: UInt8 = 0
                for index in 0..<blockDigits {
                    let digit = value(of: block[index])
                    digits[index] = digit
                    all |= digit
                }
                seen |= UInt32(all)
                var index = 0
                while index < blockDigits {
                    append(digits[index], digits[index &+ 1], digits[index &+ 2], digits[index &+ 3], to: &out)
                    index &+= 4
                }
                position &+= blockDigits
            }
            while position &+ 4 <= text.count {
                let group = text.extracting(position..<(position &+ 4))
                let digits = (value(of: group[0]), value(of: group[1]), value(of: group[2]), value(of: group[3]))
                seen |= UInt32(digits.0 | digits.1 | digits.2 | digits.3)
                append(digits.0, digits.1, digits.2, digits.3, to: &out)
                position &+= 4
            }
            for index in position..<text.count {
                let digit = UInt32(value(of: text[index]))
                seen |= digit
                rest = rest &<< 6 | digit
            }
            // Two digits hold a byte and four bits, three hold two bytes and two bits.
            switch text.count - position {
            case 2:
                out.append(UInt8(truncatingIfNeeded: rest &>> 4))
                rest &= 0xF
            case 3:
                out.append(UInt8(truncatingIfNeeded: rest &>> 10))
                out.append(UInt8(truncatingIfNeeded: rest &>> 2))
                rest &= 0x3
            default: break
            }
        }
        return seen < 64 && rest == 0 ? bytes : nil
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

    private static let blockDigits = 32

    /// The three bytes of four digits.
    @inline(__always)
    private static func append(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, to out: inout OutputSpan<UInt8>) {
        out.append(a &<< 2 | b &>> 4)
        out.append(b &<< 4 | c &>> 2)
        out.append(c &<< 6 | d)
    }

    /// 0…63; more for what is no digit. Without a branch: the digits of a signature follow no pattern that one could be predicted by.
    @inline(__always)
    private static func value(of character: UInt8) -> UInt8 {
        let upper = character &- UInt8(ascii: "A")
        let lower = character &- UInt8(ascii: "a")
        let decimal = character &- UInt8(ascii: "0")
        var value: UInt8 = 64
        value = upper < 26 ? upper : value
        value = lower < 26 ? lower &+ 26 : value
        value = decimal < 10 ? decimal &+ 52 : value
        value = character == UInt8(ascii: "-") ? 62 : value
        value = character == UInt8(ascii: "_") ? 63 : value
        return value
    }
}
