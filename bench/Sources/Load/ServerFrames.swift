/// One whole frame a server sent, by where its payload lies (RFC 6455 §5.2). The generator looks at as little as it can: it is not there
/// to judge the server's frames, except that a masked one (§5.1), or one without a length that can be held, is no frame at all.
struct ServerFrame: Equatable {
    var isFinal: Bool
    var isCompressed: Bool
    /// 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    var opcode: UInt8
    var payload: Range<Int>

    enum Scan: Equatable {
        case frame(ServerFrame)
        /// Come again with the same bytes and more.
        case incomplete
        case malformed
    }

    /// Longer ones are refused: nothing in the bench sends them, and a rest is kept until it is whole.
    static let mostPayloadBytes = 64 << 20

    @inline(__always)
    static func scan(_ bytes: Span<UInt8>, at start: Int) -> Scan {
        let available = bytes.count - start
        guard available >= 2 else { return .incomplete }
        let first = bytes[start]
        let second = bytes[start + 1]
        guard second & 0x80 == 0 else { return .malformed }
        var place = start + 2
        var length = Int(second)
        if length == 126 {
            guard available >= 4 else { return .incomplete }
            length = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
            place = start + 4
        } else if length == 127 {
            guard available >= 10 else { return .incomplete }
            length = 0
            for index in start + 2..<start + 10 {
                guard length <= mostPayloadBytes else { return .malformed }
                length = length << 8 | Int(bytes[index])
            }
            place = start + 10
        }
        guard length <= mostPayloadBytes else { return .malformed }
        guard bytes.count - place >= length else { return .incomplete }
        return .frame(
            ServerFrame(
                isFinal: first & 0x80 != 0, isCompressed: first & 0x40 != 0, opcode: first & 0x0F, payload: place..<place + length))
    }
}
