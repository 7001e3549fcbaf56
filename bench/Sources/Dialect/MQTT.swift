/// MQTT 3.1.1 (OASIS), at most once (QoS 0). A WebSocket message may end anywhere inside a packet.
enum MQTT {
    static let topic = "bench"

    /// A clean session, without a keep-alive, so that no pings disturb a measurement.
    static func connect(client: String) -> [UInt8] {
        packet(0x10, string("MQTT") + [4, 0x02, 0, 0] + string(client))
    }

    static func subscribe() -> [UInt8] { packet(0x82, [0, 1] + string(topic) + [0]) }

    static func publish(_ text: [UInt8]) -> [UInt8] { packet(0x30, string(topic) + text) }

    /// The fixed header and the topic for a packet of this many bytes; nil when no packet can have that length.
    static func overhead(of bytes: Int) -> Int? {
        let name = 2 + topic.utf8.count
        return (1...4).map { 1 + $0 + name }.first { bytes >= $0 && remainingLength(bytes - $0 + name).count == $0 - 1 - name }
    }

    enum Unit: Equatable {
        case accepted, subscribed, refused
        /// A message; the range of its text.
        case message(start: Int, count: Int)
        case other
    }

    /// The packet at `start`; nil while it is incomplete.
    static func unit(_ bytes: Span<UInt8>, from start: Int) -> (unit: Unit, end: Int)? {
        var position = start + 1
        var length = 0
        var shift = 0
        while true {
            guard position < bytes.count else { return nil }
            length |= Int(bytes[position] & 0x7f) << shift
            shift += 7
            position += 1
            if bytes[position - 1] & 0x80 == 0 || shift == 28 { break }
        }
        let end = position + length
        guard end <= bytes.count else { return nil }
        switch bytes[start] & 0xf0 {
        case 0x20: return (length == 2 && bytes[position + 1] == 0 ? .accepted : .refused, end)
        case 0x90: return (length == 3 && bytes[position + 2] <= 2 ? .subscribed : .refused, end)
        case 0x30:
            guard length >= 2 else { return (.other, end) }
            let text = position + 2 + (Int(bytes[position]) << 8 | Int(bytes[position + 1]))
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
