/// MQTT 3.1.1 (OASIS), at most once (QoS 0). Packets may be cut anywhere by the WebSocket messages they travel in.
enum MQTT {
    static let topic = "bench"

    /// A clean session, without a keep-alive: the bench is not to be asked in the middle of a measurement.
    static func connect(client: String) -> [UInt8] {
        packet(0x10, string("MQTT") + [4, 0x02, 0, 0] + string(client))
    }

    static func subscribe() -> [UInt8] { packet(0x82, [0, 1] + string(topic) + [0]) }

    static func publish(_ text: [UInt8]) -> [UInt8] { packet(0x30, string(topic) + text) }

    /// The fixed header and the topic, in a packet of so many bytes; nil when there is no packet of that length.
    static func overhead(of bytes: Int) -> Int? {
        let name = 2 + topic.utf8.count
        return (1...4).map { 1 + $0 + name }.first { bytes >= $0 && remainingLength(bytes - $0 + name).count == $0 - 1 - name }
    }

    enum Unit: Equatable {
        case accepted, subscribed, refused
        /// The text of a message lies at this place.
        case message(start: Int, count: Int)
        case other
    }

    /// One packet at `start`; nil: not all of it is there yet.
    static func unit(_ bytes: Span<UInt8>, from start: Int) -> (unit: Unit, end: Int)? {
        var place = start + 1
        var length = 0
        var shift = 0
        while true {
            guard place < bytes.count else { return nil }
            length |= Int(bytes[place] & 0x7f) << shift
            shift += 7
            place += 1
            if bytes[place - 1] & 0x80 == 0 || shift == 28 { break }
        }
        let end = place + length
        guard end <= bytes.count else { return nil }
        switch bytes[start] & 0xf0 {
        case 0x20: return (length == 2 && bytes[place + 1] == 0 ? .accepted : .refused, end)
        case 0x90: return (length == 3 && bytes[place + 2] <= 2 ? .subscribed : .refused, end)
        case 0x30:
            guard length >= 2 else { return (.other, end) }
            let text = place + 2 + (Int(bytes[place]) << 8 | Int(bytes[place + 1]))
            return (text <= end ? .message(start: text, count: end - text) : .other, end)
        default: return (.other, end)
        }
    }

    private static func packet(_ kind: UInt8, _ rest: [UInt8]) -> [UInt8] { [kind] + remainingLength(rest.count) + rest }

    private static func string(_ text: String) -> [UInt8] {
        [UInt8(truncatingIfNeeded: text.utf8.count >> 8), UInt8(truncatingIfNeeded: text.utf8.count)] + Array(text.utf8)
    }

    private static func remainingLength(_ count: Int) -> [UInt8] {
        var rest = count
        var bytes: [UInt8] = []
        repeat {
            let more: UInt8 = rest > 0x7f ? 0x80 : 0
            bytes.append(UInt8(rest & 0x7f) | more)
            rest >>= 7
        } while rest > 0
        return bytes
    }
}
