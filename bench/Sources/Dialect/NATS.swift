/// The NATS client protocol: lines that end with CR LF, and a payload after each `MSG` line. WebSocket messages may end anywhere.
enum NATS {
    static let subject = "bench"
    static let subscription = 1

    static func publish(_ text: [UInt8]) -> [UInt8] { Array("PUB \(subject) \(text.count)\r\n".utf8) + text + Array("\r\n".utf8) }

    /// `MSG bench 1 281` and two line ends, for a message of this many bytes; nil when no message can have that length: each time the
    /// decimal text length gets one more digit, one total length is skipped.
    static func overhead(of bytes: Int) -> Int? {
        let fixed = "MSG \(subject) \(subscription) \r\n\r\n".utf8.count
        return (1...7).map { fixed + $0 }.first { bytes > $0 && String(bytes - $0).utf8.count == $0 - fixed }
    }

    /// One protocol unit at the beginning of `bytes`.
    enum Unit: Equatable {
        /// The server's greeting, or information about its cluster.
        case information
        case ping, pong
        case ok
        case error
        /// A message; the range of its text.
        case message(start: Int, count: Int)
        case unknown
    }

    /// nil while the unit is incomplete.
    static func unit(_ bytes: Span<UInt8>, from start: Int) -> (unit: Unit, end: Int)? {
        guard let lineEnd = end(ofLine: bytes, from: start) else { return nil }
        let after = lineEnd + 2
        switch bytes[start] {
        case UInt8(ascii: "M"):
            var size = 0
            var position = lineEnd - 1
            var weight = 1
            while position > start, bytes[position] >= UInt8(ascii: "0"), bytes[position] <= UInt8(ascii: "9"), weight < 1_000_000_000 {
                size += Int(bytes[position] - UInt8(ascii: "0")) * weight
                weight *= 10
                position -= 1
            }
            guard bytes.count >= after + size + 2 else { return nil }
            return (.message(start: after, count: size), after + size + 2)
        case UInt8(ascii: "I"): return (.information, after)
        case UInt8(ascii: "P"): return (bytes[start + 1] == UInt8(ascii: "O") ? .pong : .ping, after)
        case UInt8(ascii: "+"): return (.ok, after)
        case UInt8(ascii: "-"): return (.error, after)
        default: return (.unknown, after)
        }
    }

    private static func end(ofLine bytes: Span<UInt8>, from start: Int) -> Int? {
        var position = start
        while position + 1 < bytes.count {
            if bytes[position] == UInt8(ascii: "\r"), bytes[position + 1] == UInt8(ascii: "\n") { return position }
            position += 1
        }
        return nil
    }
}
