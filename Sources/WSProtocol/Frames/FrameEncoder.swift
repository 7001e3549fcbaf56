/// Writes frames (RFC 6455 §5.2). A frame without a masking key is a server's, and the same bytes may go to many connections.
public enum FrameEncoder {
    /// Appends one frame. The caller keeps a control frame's payload within 125 bytes.
    public static func append(
        _ opcode: Opcode, _ payload: Span<UInt8>, isFinal: Bool = true, isCompressed: Bool = false, maskingKey: UInt32? = nil,
        into output: inout [UInt8]
    ) {
        let maskBit: UInt8 = maskingKey == nil ? 0 : 0x80
        let start = output.count + headerBytes(payload.count, isMasked: maskingKey != nil)
        output.append(addingCapacity: start - output.count + payload.count) { out in
            out.append((isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue)
            switch payload.count {
            case ..<126:
                out.append(maskBit | UInt8(truncatingIfNeeded: payload.count))
            case ...0xFFFF:
                out.append(maskBit | 126)
                for shift in [8, 0] { out.append(UInt8(truncatingIfNeeded: payload.count &>> shift)) }
            default:
                out.append(maskBit | 127)
                for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(truncatingIfNeeded: payload.count &>> shift)) }
            }
            if let maskingKey {
                for shift in 0..<4 { out.append(UInt8(truncatingIfNeeded: maskingKey &>> UInt32(8 * shift))) }
            }
            for index in payload.indices { out.append(payload[index]) }
        }
        if let maskingKey {
            var written = output.mutableSpan
            var masked = written._mutatingExtracting(start..<(start + payload.count))
            _ = Masking.apply(maskingKey, to: &masked)
        }
    }

    static func headerBytes(_ payloadBytes: Int, isMasked: Bool) -> Int {
        let length =
            switch payloadBytes {
            case ..<126: 2
            case ...0xFFFF: 4
            default: 10
            }
        return length + (isMasked ? 4 : 0)
    }

    /// A whole text message in one frame. The caller guarantees that the payload is UTF-8.
    public static func text(_ payload: Span<UInt8>) -> [UInt8] { frame(.text, payload) }
    public static func text(_ payload: [UInt8]) -> [UInt8] { frame(.text, payload.span) }
    public static func binary(_ payload: Span<UInt8>) -> [UInt8] { frame(.binary, payload) }
    public static func ping(_ payload: [UInt8] = []) -> [UInt8] { frame(.ping, payload.span.extracting(first: 125)) }
    public static func pong(_ payload: [UInt8] = []) -> [UInt8] { frame(.pong, payload.span.extracting(first: 125)) }

    public static func close(_ code: WebSocketCloseCode, reason: String = "") -> [UInt8] {
        frame(.close, closePayload(code, reason: reason).span)
    }

    private static func frame(_ opcode: Opcode, _ payload: Span<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        append(opcode, payload, into: &output)
        return output
    }

    /// The payload of a Close frame (RFC 6455 §5.5.1). It is empty for a code that may not be sent. A reason that is too long is cut between
    /// two characters.
    static func closePayload(_ code: WebSocketCloseCode, reason: String) -> [UInt8] {
        guard code.isAllowedOnTheWire else { return [] }
        var payload = [UInt8(truncatingIfNeeded: code.rawValue >> 8), UInt8(truncatingIfNeeded: code.rawValue)]
        for scalar in reason.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            guard payload.count + bytes.count <= 125 else { break }
            payload += bytes
        }
        return payload
    }
}
