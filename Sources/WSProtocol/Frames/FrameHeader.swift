/// One frame header as the peer wrote it (RFC 6455 §5.2). `FrameRules` decides whether it is acceptable.
struct FrameHeader: Equatable, Sendable {
    /// The form in which the length was written.
    enum LengthForm: Sendable { case sevenBits, sixteenBits, sixtyFourBits }

    /// The longest header: two bytes, eight of length, four of key.
    static let maximumBytes = 14

    var isFinal: Bool
    /// RSV1, RSV2, RSV3 as the bits 4, 2, 1.
    var reservedBits: UInt8
    var opcodeBits: UInt8
    var isMasked: Bool
    var lengthForm: LengthForm
    var payloadBytes: UInt64
    /// The key's four bytes, the first in the lowest bits; zero without mask.
    var maskingKey: UInt32
    /// The length of the header itself.
    var headerBytes: Int

    /// The length of a header that begins with these two bytes.
    static func bytes(first: UInt8, second: UInt8) -> Int {
        let extended =
            switch second & 0x7F {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 + extended + (second & 0x80 == 0 ? 0 : 4)
    }

    /// Reads the header at `start`; nil when it is not complete.
    @inline(__always)
    init?(_ bytes: Span<UInt8>, at start: Int) {
        let available = bytes.count - start
        guard available >= 2 else { return nil }
        let first = bytes[start]
        let second = bytes[start + 1]
        headerBytes = Self.bytes(first: first, second: second)
        guard available >= headerBytes else { return nil }

        isFinal = first & 0x80 != 0
        reservedBits = first >> 4 & 0x7
        opcodeBits = first & 0xF
        isMasked = second & 0x80 != 0
        var position = start + 2
        switch second & 0x7F {
        case 126:
            lengthForm = .sixteenBits
            payloadBytes = UInt64(bytes[position]) << 8 | UInt64(bytes[position + 1])
            position += 2
        case 127:
            lengthForm = .sixtyFourBits
            payloadBytes = 0
            for index in position..<(position + 8) { payloadBytes = payloadBytes << 8 | UInt64(bytes[index]) }
            position += 8
        case let length:
            lengthForm = .sevenBits
            payloadBytes = UInt64(length)
        }
        maskingKey = 0
        if isMasked {
            for index in 0..<4 { maskingKey |= UInt32(bytes[position + index]) << UInt32(8 * index) }
        }
    }
}
