/// Base64 with the standard alphabet and padding (RFC 4648 §4), as the handshake's nonce and its answer are written.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        let text = [UInt8](capacity: (bytes.count + 2) / 3 * 4) { out in
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let count = min(bytes.count - start, 3)
                var bits: UInt32 = 0
                for index in 0..<3 { bits = bits &<< 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
                for index in 0..<4 {
                    out.append(index <= count ? symbol(for: UInt8(truncatingIfNeeded: bits &>> UInt32(18 - 6 * index)) & 63) : padding)
                }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// nil unless `text` is exactly what `encode` writes: right padding, no other bytes, unused bits zero.
    static func decode(_ text: String) -> [UInt8]? {
        let symbols = text.utf8.span
        guard symbols.count % 4 == 0 else { return nil }
        var end = symbols.count
        while end > 0, symbols[end - 1] == padding { end -= 1 }
        guard symbols.count - end <= 2 else { return nil }
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for index in 0..<end {
            guard let value = value(of: symbols[index]) else { return nil }
            bits = bits &<< 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits &>> count))
            bits &= 1 &<< count &- 1
        }
        return bits == 0 ? bytes : nil
    }

    private static let padding = UInt8(ascii: "=")

    private static func symbol(for value: UInt8) -> UInt8 {
        switch value {
        case ..<26: UInt8(ascii: "A") &+ value
        case ..<52: UInt8(ascii: "a") &+ value &- 26
        case ..<62: UInt8(ascii: "0") &+ value &- 52
        default: value == 62 ? UInt8(ascii: "+") : UInt8(ascii: "/")
        }
    }

    private static func value(of symbol: UInt8) -> UInt8? {
        switch symbol {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): symbol &- UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): symbol &- UInt8(ascii: "a") &+ 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): symbol &- UInt8(ascii: "0") &+ 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
