/// The contents of a message from the server, other than deliveries.
public struct Heard: Equatable, Sendable {
    /// The greeting was answered and the connection can now be used. True once.
    public var becameReady = false
    /// The number of other frames, such as the hub's counters or a broker's information.
    public var others = 0
    /// A message to send back at once.
    public var answer: Message?
    /// The server's reason, if it refuses or closes this connection.
    public var refusal: String?

    public init() {}
}

/// Finds deliveries in the messages of one connection. Keeps the beginning of a protocol unit whose end has not arrived yet; for a server
/// that sends only complete units nothing is kept between messages.
public struct Listener: Sendable {
    private let dialect: Dialect
    private let role: Role
    private var rest: [UInt8] = []
    private var awaitedLives: Int
    /// Whether the connection is subscribed, so that later publications are delivered to it.
    public private(set) var isReady: Bool

    /// Called after a completed handshake.
    /// - Parameter channels: the number of channels in the greeting. The hub reports for each when it is live.
    public init(_ dialect: Dialect, _ role: Role, channels: Int = 1) {
        self.dialect = dialect
        self.role = role
        awaitedLives = channels
        switch dialect {
        case .hub, .nats, .mosquitto: isReady = false
        case .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain: isReady = true
        }
    }

    /// - Parameters:
    ///   - message: a complete WebSocket message, decompressed.
    ///   - delivered: called for each delivery, in order, with its mark; with nil if another program published it.
    public mutating func receive(_ message: Span<UInt8>, delivered: (UInt64?) -> Void) -> Heard {
        switch dialect {
        case .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain:
            var heard = Heard()
            switch role {
            case .publisher: heard.others = 1
            case .echo: delivered(Mark.read(message, at: 0))
            case .subscriber: deliveries(message, 0, message.count, delivered)
            }
            return heard
        case .hub:
            return lines(message, delivered)
        case .nats, .mosquitto:
            if rest.isEmpty { return units(message, delivered) }
            for index in message.indices { rest.append(message[index]) }
            let whole = rest
            rest.removeAll()
            return units(whole.span, delivered)
        }
    }

    private mutating func lines(_ message: Span<UInt8>, _ delivered: (UInt64?) -> Void) -> Heard {
        var heard = Heard()
        var start = 0
        while start < message.count {
            let end = Lines.end(message, start, message.count)
            if HubLine.begins(message, start, end, HubLine.entry) {
                delivered(HubLine.mark(message, start, end))
            } else {
                control(message, start, end, &heard)
            }
            start = end + 1
        }
        return heard
    }

    /// The text of a server whose protocol adds nothing. It is searched exactly as the hub's lines are, so that readers need the same time
    /// for each server.
    private func deliveries(_ bytes: Span<UInt8>, _ from: Int, _ to: Int, _ delivered: (UInt64?) -> Void) {
        var start = from
        repeat {
            let end = Lines.end(bytes, start, to)
            if HubLine.begins(bytes, start, end, HubLine.entry) {
                delivered(HubLine.mark(bytes, start, end))
            } else {
                delivered(end - start >= Mark.digits ? Mark.read(bytes, at: start) : nil)
            }
            start = end + 1
        } while start < to
    }

    private mutating func control(_ message: Span<UInt8>, _ start: Int, _ end: Int, _ heard: inout Heard) {
        let isLive = HubLine.begins(message, start, end, HubLine.live)
        if isLive, !isReady {
            awaitedLives -= 1
            isReady = awaitedLives == 0
            heard.becameReady = isReady
        } else if HubLine.begins(message, start, end, HubLine.accepted) {
            if HubLine.contains(message, start, end, HubLine.refused) { heard.refusal = HubLine.text(message, start, end) }
            if awaitedLives == 0, !isReady {
                isReady = true
                heard.becameReady = true
            }
        } else if HubLine.begins(message, start, end, HubLine.bye) || HubLine.contains(message, start, end, HubLine.error) {
            heard.refusal = HubLine.text(message, start, end)
        } else {
            heard.others += 1
        }
    }

    private mutating func units(_ bytes: Span<UInt8>, _ delivered: (UInt64?) -> Void) -> Heard {
        var heard = Heard()
        var position = 0
        while position < bytes.count {
            guard let end = dialect == .nats ? nats(bytes, position, &heard, delivered) : mqtt(bytes, position, &heard, delivered) else {
                for index in position..<bytes.count { rest.append(bytes[index]) }
                return heard
            }
            position = end
        }
        return heard
    }

    private mutating func nats(_ bytes: Span<UInt8>, _ start: Int, _ heard: inout Heard, _ delivered: (UInt64?) -> Void) -> Int? {
        guard let (unit, end) = NATS.unit(bytes, from: start) else { return nil }
        switch unit {
        case .message(let text, let count): deliveries(bytes, text, text + count, delivered)
        case .ping: heard.answer = .binary(Array("PONG\r\n".utf8))
        case .pong: becomeReady(&heard)
        case .information, .ok: heard.others += 1
        case .error, .unknown: heard.refusal = HubLine.text(bytes, start, end)
        }
        return end
    }

    private mutating func mqtt(_ bytes: Span<UInt8>, _ start: Int, _ heard: inout Heard, _ delivered: (UInt64?) -> Void) -> Int? {
        guard let (unit, end) = MQTT.unit(bytes, from: start) else { return nil }
        switch unit {
        case .message(let text, let count): deliveries(bytes, text, text + count, delivered)
        case .accepted: if role == .publisher { becomeReady(&heard) }
        case .subscribed: becomeReady(&heard)
        case .refused: heard.refusal = "CONNACK or SUBACK with a code that refuses"
        case .other: heard.others += 1
        }
        return end
    }

    private mutating func becomeReady(_ heard: inout Heard) {
        guard !isReady else { return }
        isReady = true
        heard.becameReady = true
    }
}

/// Recognizes the hub's lines by their first bytes. With a JSON parser the generator would need more time than the server.
enum HubLine {
    static let entry = Array(#"{"type":"entry","#.utf8)
    static let live = Array(#"{"type":"signal","signal":"live","#.utf8)
    static let accepted = Array(#"{"re":1,"ok":"#.utf8)
    static let bye = Array(#"{"type":"bye","#.utf8)
    static let error = Array(#","error":{"code":"#.utf8)
    static let refused = Array(#","refused":["#.utf8)
    private static let id = Array(#","id":""#.utf8)

    static func begins(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ prefix: [UInt8]) -> Bool {
        guard end - start >= prefix.count else { return false }
        for position in 0..<prefix.count where bytes[start + position] != prefix[position] { return false }
        return true
    }

    static func contains(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ needle: [UInt8]) -> Bool {
        find(bytes, start, end, needle) != nil
    }

    /// The mark in an entry's identifier. `"id"` follows the channel and the number, neither of which can contain a quotation mark.
    static func mark(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt64? {
        guard let position = find(bytes, start + entry.count, end, id), position + id.count + Mark.digits < end else { return nil }
        return Mark.read(bytes, at: position + id.count)
    }

    static func text(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> String {
        var text: [UInt8] = []
        for position in start..<min(end, start + 300) { text.append(bytes[position]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func find(_ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ needle: [UInt8]) -> Int? {
        var position = start
        while position + needle.count <= end {
            if bytes[position] == needle[0], begins(bytes, position, end, needle) { return position }
            position += 1
        }
        return nil
    }
}
