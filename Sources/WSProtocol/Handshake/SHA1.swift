/// SHA-1 (RFC 3174), for Sec-WebSocket-Accept alone. RFC 6455 §10.8: there it proves that the server understood the handshake;
/// nothing secret depends on it. It must not be used for anything else.
enum SHA1 {
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var state = State()
        let whole = message.count / 64 * 64
        for start in stride(from: 0, to: whole, by: 64) { state.mix(message.span.extracting(start..<start + 64)) }

        // What is left, a one bit, zeros, and the length in bits: one block, or two.
        var rest = InlineArray<128, UInt8>(repeating: 0)
        let left = message.count - whole
        for index in 0..<left { rest[index] = message[whole + index] }
        rest[left] = 0x80
        let end = left < 56 ? 64 : 128
        let bits = UInt64(message.count) &* 8
        for index in 0..<8 { rest[end - 1 - index] = UInt8(truncatingIfNeeded: bits &>> UInt64(8 * index)) }
        for start in stride(from: 0, to: end, by: 64) { state.mix(rest.span.extracting(start..<start + 64)) }
        return state.digest
    }

    private struct State {
        var (a, b, c, d, e): (UInt32, UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)

        var digest: [UInt8] {
            [UInt8](capacity: 20) { out in
                for word in [a, b, c, d, e] {
                    for shift in stride(from: UInt32(24), through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: word &>> shift)) }
                }
            }
        }

        /// RFC 3174 §6.1, method 1.
        mutating func mix(_ block: Span<UInt8>) {
            var words = InlineArray<80, UInt32>(repeating: 0)
            for t in 0..<16 {
                let start = t &* 4
                words[t] =
                    UInt32(block[start]) &<< 24 | UInt32(block[start &+ 1]) &<< 16 | UInt32(block[start &+ 2]) &<< 8
                    | UInt32(block[start &+ 3])
            }
            for t in 16..<80 { words[t] = rotate(words[t &- 3] ^ words[t &- 8] ^ words[t &- 14] ^ words[t &- 16], by: 1) }
            var next = self
            for t in 0..<20 { next.step(next.b & next.c | ~next.b & next.d, 0x5A82_7999, words[t]) }
            for t in 20..<40 { next.step(next.b ^ next.c ^ next.d, 0x6ED9_EBA1, words[t]) }
            for t in 40..<60 { next.step(next.b & next.c | next.b & next.d | next.c & next.d, 0x8F1B_BCDC, words[t]) }
            for t in 60..<80 { next.step(next.b ^ next.c ^ next.d, 0xCA62_C1D6, words[t]) }
            a &+= next.a
            b &+= next.b
            c &+= next.c
            d &+= next.d
            e &+= next.e
        }

        @inline(__always)
        private mutating func step(_ choice: UInt32, _ constant: UInt32, _ word: UInt32) {
            let sum = rotate(a, by: 5) &+ choice &+ e &+ word &+ constant
            (a, b, c, d, e) = (sum, a, rotate(b, by: 30), c, d)
        }

        @inline(__always)
        private func rotate(_ word: UInt32, by bits: UInt32) -> UInt32 { word &<< bits | word &>> (32 &- bits) }
    }
}
