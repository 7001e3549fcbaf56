import Testing

@testable import Dialect

@Suite("What is published")
struct PublicationTests {
    static let sizes = [300, 1_000, 16_000]

    @Test(
        "Is delivered in a message of the asked length, with its mark",
        arguments: Dialect.allCases.filter { $0.roles.contains(.publisher) }, sizes)
    func asLongAsAsked(dialect: Dialect, bytes: Int) throws {
        let published = try #require(dialect.publication(mark: 1_234_567_890, bytes: bytes))
        let delivered = Server.delivery(dialect, published)
        #expect(delivered.count == bytes)
        var listener = Listener(dialect, .subscriber)
        var marks: [UInt64?] = []
        _ = listener.receive(delivered.span) { marks.append($0) }
        #expect(marks == [1_234_567_890])
    }

    @Test("Is the hub's own entry where it is long enough for one", arguments: Dialect.allCases.filter { $0.roles.contains(.publisher) })
    func sameWorkForReaders(dialect: Dialect) throws {
        let delivered = Server.delivery(dialect, try #require(dialect.publication(mark: 7, bytes: 400)))
        let text = String(decoding: delivered, as: UTF8.self)
        #expect(text.contains(#"{"type":"entry","channel":"broadcast:system","seq":1,"id":"0000000000000007","kind":"notification""#))
        let short = try #require(dialect.publication(mark: 7, bytes: 60))
        #expect(String(decoding: Server.delivery(dialect, short), as: UTF8.self).contains("0000000000000007 A colleague"))
    }

    @Test(
        "Is not made when the protocol has no message of that length", arguments: Dialect.allCases.filter { $0.roles.contains(.publisher) })
    func refusesImpossibleLengths(dialect: Dialect) throws {
        let least = try #require(dialect.leastBytes())
        #expect(dialect.publication(mark: 1, bytes: least) != nil)
        #expect(dialect.publication(mark: 1, bytes: least - 1) == nil)
        #expect(dialect.publication(mark: 1, bytes: 0) == nil)
        #expect(dialect.publication(mark: 1, bytes: -5) == nil)
        #expect(dialect.publication(mark: Mark.limit, bytes: 300) == nil)
    }

    @Test("Has every length once the least is passed, but for steps of a length's own digits", arguments: Dialect.allCases)
    func everyLength(dialect: Dialect) {
        let least = dialect.leastBytes() ?? .max
        let missing = (200...20_000).filter { $0 >= least && dialect.overhead(bytes: $0, seq: 1, channel: Dialect.channel) == nil }
        // NATS writes a length in decimal digits, MQTT in groups of seven bits. Each time one more is needed, one total length is skipped.
        switch dialect {
        case .nats: #expect(missing == [1_019, 10_020])
        case .mosquitto: #expect(missing == [16_387])
        case .hub, .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain: #expect(missing.isEmpty)
        }
    }

    @Test("Comes back on an echo connection as it was")
    func echoes() throws {
        for dialect in Dialect.allCases where dialect.roles.contains(.echo) {
            let message = try #require(dialect.echoMessage(mark: 77, bytes: 300))
            #expect(message.bytes.count == 300)
            var listener = Listener(dialect, .echo)
            var marks: [UInt64?] = []
            _ = listener.receive(message.bytes.span) { marks.append($0) }
            #expect(marks == [77])
        }
    }
}

@Suite("A listener")
struct ListenerTests {
    @Test("Finds every delivery however the stream is cut", arguments: [Dialect.nats, .mosquitto], [1, 2, 3, 7, 64, 100_000])
    func anyCut(dialect: Dialect, cut: Int) throws {
        var stream: [UInt8] = []
        for mark in UInt64(1)...20 {
            stream += Server.delivery(dialect, try #require(dialect.publication(mark: mark, bytes: 300)))
        }
        var listener = Listener(dialect, .subscriber)
        var marks: [UInt64?] = []
        for start in stride(from: 0, to: stream.count, by: cut) {
            _ = listener.receive(Array(stream[start..<min(start + cut, stream.count)]).span) { marks.append($0) }
        }
        #expect(marks == (1...20).map { $0 })
    }

    @Test("Is ready when NATS answers the ping behind the subscription, and answers pings itself")
    func nats() {
        var listener = Listener(.nats, .subscriber)
        #expect(listener.hears(#"INFO {"server_id":"x","max_payload":1048576}"# + " \r\n") == heard { $0.others = 1 })
        #expect(!listener.isReady)
        #expect(listener.hears("PONG\r\n") == heard { $0.becameReady = true })
        #expect(listener.hears("PING\r\n") == heard { $0.answer = Message(isText: false, bytes: Array("PONG\r\n".utf8)) })
        #expect(listener.hears("PONG\r\n") == Heard())
        #expect(listener.hears("-ERR 'Slow Consumer'\r\n").refusal == "-ERR 'Slow Consumer'\r\n")
    }

    @Test("Is ready when MQTT grants the subscription, a publisher when it is accepted")
    func mqtt() {
        var subscriber = Listener(.mosquitto, .subscriber)
        #expect(subscriber.hears([0x20, 2, 0, 0]) == Heard())
        #expect(subscriber.hears([0x90, 3, 0, 1, 0]) == heard { $0.becameReady = true })
        var publisher = Listener(.mosquitto, .publisher)
        #expect(publisher.hears([0x20, 2, 0, 0]) == heard { $0.becameReady = true })
        var refused = Listener(.mosquitto, .subscriber)
        #expect(refused.hears([0x20, 2, 0, 5]).refusal != nil)
        #expect(refused.hears([0x90, 3, 0, 1, 0x80]).refusal != nil)
    }

    @Test("Is ready when each of the hub's channels is live")
    func hub() {
        var listener = Listener(.hub, .subscriber, channels: 2)
        #expect(listener.hears(#"{"re":1,"ok":{"session":"s","channels":[]}}"#) == Heard())
        #expect(listener.hears(#"{"type":"signal","signal":"live","channel":"inbox","seq":0}"#) == Heard())
        #expect(
            listener.hears(#"{"type":"signal","signal":"live","channel":"broadcast:system","seq":4}"#) == heard { $0.becameReady = true })
        #expect(listener.hears(#"{"type":"counters","version":1,"channels":[],"totals":{}}"#) == heard { $0.others = 1 })
        var without = Listener(.hub, .subscriber, channels: 0)
        #expect(without.hears(#"{"re":1,"ok":{"session":"s"}}"#) == heard { $0.becameReady = true })
    }

    @Test("Finds the newline wherever it is, and none where there is none", arguments: 0..<40)
    func lineEnds(position: Int) {
        var bytes: [UInt8] = []
        for neighbour in [UInt8(ascii: "a"), 0x0B, 0x09, 0x8A, 0xFF] {
            bytes = Array(repeating: neighbour, count: 40)
            #expect(Lines.end(bytes.span, 0, 40) == 40)
            bytes[position] = UInt8(ascii: "\n")
            #expect(Lines.end(bytes.span, 0, 40) == position)
            #expect(Lines.end(bytes.span, position, 40) == position)
            #expect(Lines.end(bytes.span, 0, position) == position)
            #expect(Lines.end(bytes.span, position + 1, 40) == 40)
        }
    }

    @Test("Says why the hub refuses")
    func refusals() {
        let words = [
            #"{"re":1,"error":{"code":"invalid_token","message":"m","temporary":false}}"#,
            #"{"re":1,"ok":{"session":"s","channels":[],"refused":[{"channel":"broadcast:x:y","code":"forbidden"}]}}"#,
            #"{"type":"bye","code":4200,"reason":"draining","reconnect":true,"afterMs":200,"spreadMs":5000}"#,
        ]
        for text in words {
            var listener = Listener(.hub, .subscriber)
            #expect(listener.hears(text).refusal == text)
            #expect(!listener.isReady)
        }
    }

    @Test("Counts every line of a message of the hub")
    func lines() {
        func entry(_ id: String) -> String { #"{"type":"entry","channel":"broadcast:system","seq":1,"id":"\#(id)","kind":"notification"}"# }
        let lines = [entry("0000000000000001"), #"{"type":"counters"}"#, entry("0000000000000002"), entry("not-of-this-bench")]
        var listener = Listener(.hub, .subscriber)
        var marks: [UInt64?] = []
        let heard = listener.receive(Array(lines.joined(separator: "\n").utf8).span) { marks.append($0) }
        #expect(marks == [1, 2, nil])
        #expect(heard.others == 1)
    }
}

@Suite("A handshake")
struct HandshakeTests {
    @Test("Asks for what the server needs")
    func request() {
        let request = String(
            decoding: Dialect.mosquitto.handshake(.subscriber, compressed: true).request(host: "127.0.0.1:1", key: "a"), as: UTF8.self)
        #expect(request.hasPrefix("GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"))
        #expect(request.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"))
        #expect(request.contains("\r\nSec-WebSocket-Extensions: permessage-deflate; "))
        #expect(request.hasSuffix("\r\n\r\n"))
        #expect(Dialect.bareC.handshake(.echo).path == "/echo")
        #expect(Dialect.hub.handshake(.subscriber).subprotocols == ["hub.v1.json"])
    }
}

/// The bytes that each broker delivers for a publication, built from the broker's specification without the code under test.
enum Server {
    static func delivery(_ dialect: Dialect, _ publication: Publication) -> [UInt8] {
        guard case .message(let message) = publication else { return [] }
        switch dialect {
        case .nats:
            let text = message.bytes.drop { $0 != UInt8(ascii: "\n") }.dropFirst().dropLast(2)
            return Array("MSG bench 1 \(text.count)\r\n".utf8) + text + Array("\r\n".utf8)
        case .hub, .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .mosquitto, .plain:
            return message.bytes
        }
    }
}

func heard(_ change: (inout Heard) -> Void) -> Heard {
    var heard = Heard()
    change(&heard)
    return heard
}

extension Listener {
    mutating func hears(_ bytes: [UInt8]) -> Heard { receive(bytes.span) { _ in Issue.record("no delivery") } }
    mutating func hears(_ text: String) -> Heard { hears(Array(text.utf8)) }
}
