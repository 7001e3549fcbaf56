/// Base64 with the standard alphabet and padding (RFC 4648 §4), as the WebSocket handshake writes its key and its answer.
public enum Base64 {
    /// The decoded bytes; nil unless `text` is exactly what `encode` writes for them.
    public static func decode(_ text: String) -> [UInt8]? {
        let symbols = text.utf8.span
        guard symbols.count % 4 == 0 else { return nil }
        var end = symbols.count
        while end > 0, symbols[end - 1] == Base64Alphabet.padding { end -= 1 }
        guard symbols.count - end <= 2 else { return nil }
        return Base64Alphabet.standard.decode(symbols.extracting(0..<end))
    }

    public static func encode(_ bytes: [UInt8]) -> String { Base64Alphabet.standard.encode(bytes, isPadded: true) }
}

/// base64url without padding (RFC 4648 §5, RFC 7515 §2), strict: one text per byte string.
///
/// Two texts for one signature would let a token pass as two different ones, so white space, padding, other alphabets and
/// set bits after the last byte (RFC 4648 §3.5) are all refused.
public enum Base64URL {
    /// The decoded bytes; nil unless `text` is exactly what `encode` writes for them.
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? { Base64Alphabet.url.decode(text) }

    public static func decode(_ text: String) -> [UInt8]? { decode(text.utf8.span) }

    public static func encode(_ bytes: some Sequence<UInt8>) -> String { Base64Alphabet.url.encode(Array(bytes), isPadded: false) }
}

/// What the two alphabets differ in, and what encodes and decodes both. Inlined into the functions above, where the alphabet is constant.
private struct Base64Alphabet {
    let sixtyTwo: UInt8
    let sixtyThree: UInt8

    static var standard: Base64Alphabet { Base64Alphabet(sixtyTwo: UInt8(ascii: "+"), sixtyThree: UInt8(ascii: "/")) }
    static var url: Base64Alphabet { Base64Alphabet(sixtyTwo: UInt8(ascii: "-"), sixtyThree: UInt8(ascii: "_")) }
    static let padding = UInt8(ascii: "=")
    private static let blockDigits = 32

    /// `text` is without padding.
    @inline(__always)
    func decode(_ text: Span<UInt8>) -> [UInt8]? {
        // 4 n + 1 characters carry six bits less than a byte.
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        // The union of all digits: a bit above the sixth says that a character was not a digit.
        var seen: UInt32 = 0
        var rest: UInt32 = 0
        bytes.append(addingCapacity: text.count / 4 * 3 + 2) { out in
            var position = 0
            // The compiler turns the first inner loop into vector instructions, so all digits of a block are found before their bytes are written.
            while position &+ Self.blockDigits <= text.count {
                let block = text.extracting(position..<(position &+ Self.blockDigits))
                var digits = InlineArray<32, UInt8>(repeating: 0)
                var all: UInt8 = 0
                for index in 0..<Self.blockDigits {
                    let digit = value(of: block[index])
                    digits[index] = digit
                    all |= digit
                }
                seen |= UInt32(all)
                var index = 0
                while index < Self.blockDigits {
                    Self.append(digits[index], digits[index &+ 1], digits[index &+ 2], digits[index &+ 3], to: &out)
                    index &+= 4
                }
                position &+= Self.blockDigits
            }
            while position &+ 4 <= text.count {
                let group = text.extracting(position..<(position &+ 4))
                let digits = (value(of: group[0]), value(of: group[1]), value(of: group[2]), value(of: group[3]))
                seen |= UInt32(digits.0 | digits.1 | digits.2 | digits.3)
                Self.append(digits.0, digits.1, digits.2, digits.3, to: &out)
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

    @inline(__always)
    func encode(_ bytes: [UInt8], isPadded: Bool) -> String {
        let text = [UInt8](capacity: (bytes.count + 2) / 3 * 4) { out in
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let count = min(bytes.count - start, 3)
                var bits: UInt32 = 0
                for index in 0..<3 { bits = bits &<< 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
                for index in 0...count { out.append(symbol(for: UInt8(truncatingIfNeeded: bits &>> UInt32(18 - 6 * index)) & 63)) }
                if isPadded { for _ in count..<3 { out.append(Self.padding) } }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes the three bytes of four digits.
    @inline(__always)
    private static func append(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, to out: inout OutputSpan<UInt8>) {
        out.append(a &<< 2 | b &>> 4)
        out.append(b &<< 4 | c &>> 2)
        out.append(c &<< 6 | d)
    }

    @inline(__always)
    private func symbol(for value: UInt8) -> UInt8 {
        switch value {
        case ..<26: UInt8(ascii: "A") &+ value
        case ..<52: UInt8(ascii: "a") &+ value &- 26
        case ..<62: UInt8(ascii: "0") &+ value &- 52
        default: value == 62 ? sixtyTwo : sixtyThree
        }
    }

    /// 0…63, or 64 when the character is not a digit. Without branches: the digits of a signature are random, so a branch could not be
    /// predicted.
    @inline(__always)
    private func value(of character: UInt8) -> UInt8 {
        let upper = character &- UInt8(ascii: "A")
        let lower = character &- UInt8(ascii: "a")
        let decimal = character &- UInt8(ascii: "0")
        var value: UInt8 = 64
        value = upper < 26 ? upper : value
        value = lower < 26 ? lower &+ 26 : value
        value = decimal < 10 ? decimal &+ 52 : value
        value = character == sixtyTwo ? 62 : value
        value = character == sixtyThree ? 63 : value
        return value
    }
}
