extension String {
    /// Byte for byte, as RFC 8259 §8.3 compares names and RFC 7519 §4.1.1 compares claims; `==` would take `é` in its two encodings
    /// for one text.
    public func isSameText(as other: String) -> Bool {
        utf8.span.isSame(as: other.utf8.span)
    }
}

extension Span<UInt8> {
    private static var blockBytes: Int { 16 }

    /// Byte for byte, in blocks of constant size that the compiler turns into vectors; the last two may overlap.
    public func isSame(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard count >= Self.blockBytes else {
            for index in indices where self[index] != other[index] { return false }
            return true
        }
        var start = 0
        while true {
            let mine = extracting(start..<(start &+ Self.blockBytes))
            let theirs = other.extracting(start..<(start &+ Self.blockBytes))
            var difference: UInt8 = 0
            for index in 0..<Self.blockBytes { difference |= mine[index] ^ theirs[index] }
            guard difference == 0 else { return false }
            if start == count &- Self.blockBytes { return true }
            start = Swift.min(start &+ Self.blockBytes, count &- Self.blockBytes)
        }
    }
}
