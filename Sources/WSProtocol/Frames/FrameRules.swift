/// The rules for a frame header. They are checked before any payload of the frame is read, kept or waited for.
struct FrameRules {
    /// Clients mask, servers do not (RFC 6455 §5.1).
    var expectsMask: Bool
    /// Whether permessage-deflate has been agreed on.
    var allowsCompression: Bool
    /// Whether a fragmented message has begun and its last frame has not.
    var isInsideMessage: Bool
    /// The payload bytes by which an uncompressed message may still grow.
    var messageRoom: Int
    /// The compressed bytes by which a compressed message may still grow.
    var compressedMessageRoom: Int
    /// Whether the message that a continuation frame continues is compressed.
    var continuesCompressed: Bool

    @inline(__always)
    func judge(_ header: FrameHeader) throws(WebSocketViolation) -> Opcode {
        guard let opcode = Opcode(rawValue: header.opcodeBits) else { throw .reservedOpcode }

        // RFC 6455 §5.2: only an extension gives a reserved bit a meaning. RFC 7692 §6: RSV1 on the first frame of a message.
        if header.reservedBits != 0 {
            let marksCompression = header.reservedBits == 0x4 && allowsCompression && (opcode == .text || opcode == .binary)
            guard marksCompression else { throw .reservedBits }
        }

        // RFC 6455 §5.1
        guard header.isMasked == expectsMask else { throw expectsMask ? .unmaskedFrame : .maskedFrame }

        // RFC 6455 §5.2: the length has its shortest form, and its highest bit is 0.
        switch header.lengthForm {
        case .sevenBits: break
        case .sixteenBits: guard header.payloadBytes >= 126 else { throw .lengthNotMinimal }
        case .sixtyFourBits:
            guard header.payloadBytes >> 63 == 0 else { throw .lengthOver63Bits }
            guard header.payloadBytes > 0xFFFF else { throw .lengthNotMinimal }
        }

        // RFC 6455 §5.5
        if opcode.isControl {
            guard header.isFinal else { throw .fragmentedControl }
            guard header.payloadBytes <= 125 else { throw .controlTooLong }
            guard opcode != .close || header.payloadBytes != 1 else { throw .closePayloadOfOneByte }
            return opcode
        }

        // RFC 6455 §5.4: fragments of one message do not mix with those of another.
        if opcode == .continuation {
            guard isInsideMessage else { throw .continuationWithoutMessage }
        } else {
            guard !isInsideMessage else { throw .messageInsideMessage }
        }

        // RFC 6455 §10.4: a message that is too big is refused by the length in the header.
        let isCompressed = opcode == .continuation ? continuesCompressed : header.reservedBits != 0
        guard Int(clamping: header.payloadBytes) <= (isCompressed ? compressedMessageRoom : messageRoom) else { throw .messageTooBig }
        return opcode
    }
}
