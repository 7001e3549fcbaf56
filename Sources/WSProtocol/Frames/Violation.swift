/// How a peer broke the protocol. The connection fails (RFC 6455 §7.1.7) with the close code of this table.
public enum WebSocketViolation: Error, Equatable, Sendable, CaseIterable {
    case reservedBits, reservedOpcode
    case unmaskedFrame, maskedFrame
    case fragmentedControl, controlTooLong
    case lengthNotMinimal, lengthOver63Bits
    case continuationWithoutMessage, messageInsideMessage
    case closePayloadOfOneByte, closeCodeNotAllowed, closeReasonNotUTF8
    case textNotUTF8, corruptCompression
    case messageTooBig
    case compressorUnavailable

    public var closeCode: WebSocketCloseCode {
        switch self {
        case .reservedBits, .reservedOpcode, .unmaskedFrame, .maskedFrame, .fragmentedControl, .controlTooLong, .lengthNotMinimal,
            .lengthOver63Bits, .continuationWithoutMessage, .messageInsideMessage, .closePayloadOfOneByte, .closeCodeNotAllowed:
            .protocolError
        case .closeReasonNotUTF8, .textNotUTF8, .corruptCompression:
            .invalidPayload
        case .messageTooBig:
            .messageTooBig
        case .compressorUnavailable:
            .internalError
        }
    }
}
