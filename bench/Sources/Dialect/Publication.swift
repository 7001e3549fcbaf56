/// One or more entries to publish to all subscribers.
public enum Publication: Equatable, Sendable {
    /// A message to send on a connection of the role `publisher`.
    case message(Message)
    /// For the hub: the value of a record for its Kafka topic.
    case record([UInt8])

    /// The topic of a `record`.
    public static let topic = "hub.events"
}

/// A number that every published text contains, by which a delivery is recognized: its time of sending or a sequence number.
public enum Mark {
    /// The number of decimal digits on the wire. It is fixed, so that all texts have the same length.
    public static let digits = 16
    public static let limit: UInt64 = 10_000_000_000_000_000

    static func text(_ mark: UInt64) -> [UInt8] {
        var rest = mark
        var text = [UInt8](repeating: UInt8(ascii: "0"), count: digits)
        for position in stride(from: digits - 1, through: 0, by: -1) {
            text[position] += UInt8(rest % 10)
            rest /= 10
        }
        return text
    }

    /// The mark at this position; nil when the bytes there are not digits.
    public static func read(_ bytes: Span<UInt8>, at start: Int) -> UInt64? {
        guard start >= 0, start <= bytes.count - digits else { return nil }
        var mark: UInt64 = 0
        for position in start..<start + digits {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            mark = mark * 10 + UInt64(digit)
        }
        return mark
    }
}

extension Dialect {
    /// - Parameters:
    ///   - mark: less than `Mark.limit`. It becomes the event's identifier, so the hub delivers a mark that is published twice once.
    ///   - bytes: the length of the WebSocket message that subscribers get.
    ///   - seq: the sequence number that the hub will assign, because its digits are part of the message. The other servers assign none.
    /// - Returns: nil where the server has no publishing, or `bytes` is too short for the bytes that the protocol adds; see `leastBytes`.
    public func publication(mark: UInt64, bytes: Int, seq: UInt64 = 1, channel: String = Dialect.channel) -> Publication? {
        guard mark < Mark.limit, let own = overhead(bytes: bytes, seq: seq, channel: channel), bytes - own >= minimumText else {
            return nil
        }
        let length = bytes - own
        switch self {
        case .hubEcho: return nil
        case .hub:
            let body = Filler.string(length)
            let value = #"{"id":"\#(markText(mark))","type":"bench","to":["\#(channel)"],"title":"Bench","body":"\#(body)"}"#
            return .record(Array(value.utf8))
        case .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain:
            return .message(Message(isText: true, bytes: delivered(mark, length)))
        case .nats:
            return .message(.binary(NATS.publish(delivered(mark, length))))
        case .mosquitto:
            return .message(.binary(MQTT.publish(delivered(mark, length))))
        }
    }

    /// The message to send on an `echo` connection. All have the same length.
    public func echoMessage(mark: UInt64, bytes: Int) -> Message? {
        guard roles.contains(.echo), mark < Mark.limit, bytes >= Mark.digits else { return nil }
        return Message(isText: true, bytes: marked(mark, bytes))
    }

    /// The length of the shortest message that a subscriber can get.
    public func leastBytes(seq: UInt64 = 1, channel: String = Dialect.channel) -> Int? {
        (0...2 * channel.utf8.count + 1_000).first { publication(mark: 0, bytes: $0, seq: seq, channel: channel) != nil }
    }

    /// The number of bytes that the protocol adds to the text in a message of `bytes` bytes.
    func overhead(bytes: Int, seq: UInt64, channel: String) -> Int? {
        switch self {
        case .hubEcho: nil
        case .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain: 0
        case .hub: HubEntry.bytes(seq: seq, channel: channel, body: 0)
        case .nats: NATS.overhead(of: bytes)
        case .mosquitto: MQTT.overhead(of: bytes)
        }
    }

    /// The length of the shortest text: a mark. For the hub 0, because the mark is in the entry's identifier.
    private var minimumText: Int { self == .hub ? 0 : Mark.digits }

    private func markText(_ mark: UInt64) -> String { String(decoding: Mark.text(mark), as: UTF8.self) }

    /// The other servers deliver an exact copy of the hub's entry: it has the same length, compresses equally, and readers do the same work
    /// for it. A text that is too short for an entry consists of a mark and filler.
    private func delivered(_ mark: UInt64, _ length: Int) -> [UInt8] {
        let body = length - HubEntry.bytes(seq: 1, channel: Dialect.channel, body: 0)
        guard body >= 0 else { return marked(mark, length) }
        return Array(HubEntry.text(seq: 1, channel: Dialect.channel, mark: markText(mark), body: Filler.string(body)).utf8)
    }

    private func marked(_ mark: UInt64, _ length: Int) -> [UInt8] { Mark.text(mark) + Filler.text(length - Mark.digits) }
}

/// Prose of a given length, so that it compresses like real text.
enum Filler {
    private static let prose = Array(
        """
         A colleague has read the portfolio you shared for the course on hydrology and left three remarks on the second activity: the \
        sources of the survey, the choice of the scale on page four, and how the group shared its work. The review stays open until \
        Friday noon; until then you can answer each remark, change the text, or ask for another reader. Nothing is public yet.
        """.utf8)

    static func string(_ count: Int) -> String { String(decoding: text(count), as: UTF8.self) }

    static func text(_ count: Int) -> [UInt8] { (0..<max(count, 0)).map { prose[$0 % prose.count] } }
}

/// The hub's `entry` frame for a published event, as docs/reference/protocol.md describes it.
enum HubEntry {
    static func text(seq: UInt64, channel: String, mark: String, body: String) -> String {
        #"{"type":"entry","channel":"\#(channel)","seq":\#(seq),"id":"\#(mark)","kind":"notification","event":"bench","priority":"normal""#
            + #","form":"full","title":"Bench","body":"\#(body)","createdAt":"2026-11-23T22:45:00.123Z"}"#
    }

    static func bytes(seq: UInt64, channel: String, body: Int) -> Int {
        text(seq: seq, channel: channel, mark: "", body: "").utf8.count + Mark.digits + body
    }
}
