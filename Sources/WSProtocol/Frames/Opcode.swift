/// The purpose of a frame (RFC 6455 §5.2). Values that are not listed are reserved.
public enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { rawValue >= 0x8 }
}

/// The two kinds of message.
public enum MessageKind: Equatable, Sendable {
    /// UTF-8; the connection checks that it is.
    case text
    case binary

    var opcode: Opcode { self == .text ? .text : .binary }
}
