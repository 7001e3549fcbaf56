/// The NATS client protocol: lines ended by CR LF, a payload after a `MSG` line. Any cut of it may be a WebSocket message.
enum NATS {
    static let subject = "bench"
    static let subscription = 1

    static func publish(_ text: [UInt8]) -> [UInt8] { Array("PUB \(subject) \(text.count)\r\n".utf8) + text + Array("\r\n".utf8) }

    /// `MSG bench 1 281` and two line ends, in a message of so many bytes; nil when there is no such message: where the number of the
    /// text's length gets a digit more, one length cannot be reached.
    static func overhead(of bytes: Int) -> Int? {
        let fixed = "MSG \(subject) \(subscription) \r\n\r\n".utf8.count
        return (1...7).map { fixed + $0 }.first { bytes > $0 && String(bytes - $0).utf8.count == $0 - fixed }
    }

    /// One protocol unit at the beginning of `bytes`.
    enum Unit: Equatable {
        /// The server's greeting, or news of the cluster.
        case information
        case ping, pong
        case ok
        case error
        /// The text of a message lies at this place.
        case message(start: Int, count: Int)
        case unknown
    }

    /// nil: not all of it is there yet.
    static func unit(_ bytes: Span<UInt8>, from start: Int) -> (unit: Unit, end: Int)? {
        guard let lineEnd = end(ofLine: bytes, from: start) else { return nil }
        let after = lineEnd + 2
        switch bytes[start] {
        case UInt8(ascii: "M"):
            var size = 0
            var place = lineEnd - 1
            var weight = 1
            while place > start, bytes[place] >= UInt8(ascii: "0"), bytes[place] <= UInt8(ascii: "9"), weight < 1_000_000_000 {
                size += Int(bytes[place] - UInt8(ascii: "0")) * weight
                weight *= 10
                place -= 1
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
        var place = start
        while place + 1 < bytes.count {
            if bytes[place] == UInt8(ascii: "\r"), bytes[place + 1] == UInt8(ascii: "\n") { return place }
            place += 1
        }
        return nil
    }
}
