/// One complete frame from a server, described by the range of its payload (RFC 6455 §5.2). The generator checks as little as it can.
/// It refuses only masked frames (§5.1) and those whose length is not supported.
struct ServerFrame: Equatable {
    var isFinal: Bool
    var isCompressed: Bool
    /// 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    var opcode: UInt8
    var payload: Range<Int>

    enum Scan: Equatable {
        case frame(ServerFrame)
        /// The frame is not complete: call again with the same bytes and more.
        case incomplete
        case malformed
    }

    /// Longer frames are refused: no server in the bench sends them, and an incomplete frame has to be kept in memory.
    static let mostPayloadBytes = 64 << 20

    @inline(__always)
    static func scan(_ bytes: Span<UInt8>, at start: Int) -> Scan {
        let available = bytes.count - start
        guard available >= 2 else { return .incomplete }
        let first = bytes[start]
        let second = bytes[start + 1]
        guard second & 0x80 == 0 else { return .malformed }
        var position = start + 2
        var length = Int(second)
        if length == 126 {
            guard available >= 4 else { return .incomplete }
            length = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
            position = start + 4
        } else if length == 127 {
            guard available >= 10 else { return .incomplete }
            length = 0
            for index in start + 2..<start + 10 {
                guard length <= mostPayloadBytes else { return .malformed }
                length = length << 8 | Int(bytes[index])
            }
            position = start + 10
        }
        guard length <= mostPayloadBytes else { return .malformed }
        guard bytes.count - position >= length else { return .incomplete }
        return .frame(
            ServerFrame(
                isFinal: first & 0x80 != 0, isCompressed: first & 0x40 != 0, opcode: first & 0x0F, payload: position..<position + length))
    }
}
