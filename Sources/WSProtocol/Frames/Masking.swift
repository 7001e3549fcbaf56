/// Masking (RFC 6455 §5.3): the payload XOR the key, repeated. The key's first byte is in the lowest bits.
enum Masking {
    private static let blockBytes = 32
    private static let wordBytes = 4

    /// Masks or unmasks in place, and returns the key rotated for the bytes that follow.
    ///
    /// With blocks of constant size the compiler drops the bounds checks and uses vectors, without unsafe code.
    @inline(__always)
    static func apply(_ key: UInt32, to bytes: inout MutableSpan<UInt8>) -> UInt32 {
        let count = bytes.count
        var position = 0
        if count >= blockBytes {
            var pattern = InlineArray<32, UInt8>(repeating: 0)
            for index in 0..<blockBytes { pattern[index] = byte(of: key, at: index) }
            while position &+ blockBytes <= count {
                var block = bytes._mutatingExtracting(position..<(position &+ blockBytes))
                for index in 0..<blockBytes { block[index] ^= pattern[index] }
                position &+= blockBytes
            }
        }
        while position &+ wordBytes <= count {
            var word = bytes._mutatingExtracting(position..<(position &+ wordBytes))
            for index in 0..<wordBytes { word[index] ^= byte(of: key, at: index) }
            position &+= wordBytes
        }
        while position < count {
            bytes[position] ^= byte(of: key, at: position)
            position &+= 1
        }
        return turned(key, by: count)
    }

    /// The key rotated for the bytes that follow `count` others.
    @inline(__always)
    static func turned(_ key: UInt32, by count: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: count & 3) &* 8
        return key &>> bits | key &<< ((32 &- bits) & 31)
    }

    @inline(__always)
    private static func byte(of key: UInt32, at index: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: key &>> (UInt32(truncatingIfNeeded: index & 3) &* 8))
    }
}
