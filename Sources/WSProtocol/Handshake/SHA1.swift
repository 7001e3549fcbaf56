/// SHA-1 (RFC 3174), for Sec-WebSocket-Accept alone. RFC 6455 §10.8: there it proves that the server understood the handshake;
/// nothing secret depends on it. It must not be used for anything else.
enum SHA1 {
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var padded = message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: (UInt64(message.count) &* 8) &>> UInt64(shift)))
        }

        var state = State()
        for start in stride(from: 0, to: padded.count, by: 64) { state.mix(padded.span.extracting(start..<start + 64)) }
        var digest: [UInt8] = []
        for word in [state.a, state.b, state.c, state.d, state.e] {
            for shift in stride(from: UInt32(24), through: 0, by: -8) { digest.append(UInt8(truncatingIfNeeded: word &>> shift)) }
        }
        return digest
    }

    private struct State {
        var (a, b, c, d, e): (UInt32, UInt32, UInt32, UInt32, UInt32) = (0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0)

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
