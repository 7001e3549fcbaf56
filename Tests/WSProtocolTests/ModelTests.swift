import HangGuard
import Testing
import WSProtocol
import Zlib

/// A random conversation, made from its own account of what should be received: messages cut into random fragments with control frames
/// between them, some compressed, delivered in random pieces.
private struct Conversation {
    private var random: SeededGenerator
    private let compresses: Bool
    private(set) var bytes: [UInt8] = []
    private(set) var expected: [Endpoint.Received] = []
    private(set) var pongs: [UInt8] = []
    private let deflater: Deflater

    init(seed: UInt64, compresses: Bool, remembers: Bool, masks: Bool) throws {
        random = SeededGenerator(seed: seed)
        self.compresses = compresses
        deflater = try #require(Deflater(windowBits: Int.random(in: 9...15, using: &random)))
        for _ in 0..<Int.random(in: 1...12, using: &random) { try addMessage(remembers: remembers, masks: masks) }
        if Bool.random(using: &random) {
            expected.append(.close(.goingAway, "bye"))
            append(closeFrame(1001, "bye"), masks)
        }
    }

    private mutating func append(_ frame: [UInt8], _ masks: Bool) {
        bytes += masks ? frame.masked(UInt32.random(in: 0...UInt32.max, using: &random)) : frame
    }

    private mutating func addMessage(remembers: Bool, masks: Bool) throws {
        let isText = Bool.random(using: &random)
        let length = [0, 1, 10, 124, 125, 126, 127, 1000, 70_000].randomElement(using: &random) ?? 0
        let alphabet = ["a", "b", "é", "日", "😀", "{\"type\":\"ack\"}"]
        var content: [UInt8] = []
        while content.count < length {
            content += isText ? Array((alphabet.randomElement(using: &random) ?? "a").utf8) : [UInt8.random(in: 0...255, using: &random)]
        }
        var payload = content
        let isCompressed = compresses && Bool.random(using: &random)
        if isCompressed {
            if !remembers { deflater.reset() }
            payload = content.isEmpty ? [0] : try deflated(content, deflater)
        }
        addControl(masks)
        var rest = payload[...]
        var opcode: UInt8 = isText ? 1 : 2
        var rsv: UInt8 = isCompressed ? 4 : 0
        while Int.random(in: 0..<3, using: &random) > 0 {
            let part = rest.prefix(Int.random(in: 0...max(rest.count, 1), using: &random))
            rest = rest.dropFirst(part.count)
            append(frame(opcode, Array(part), fin: false, rsv: rsv), masks)
            (opcode, rsv) = (0, 0)
            addControl(masks)
        }
        append(frame(opcode, Array(rest), rsv: rsv), masks)
        expected.append(isText ? .text(String(decoding: content, as: UTF8.self)) : .binary(content))
    }

    private mutating func addControl(_ masks: Bool) {
        guard Int.random(in: 0..<3, using: &random) == 0 else { return }
        let payload = (0..<Int.random(in: 0...125, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        if Bool.random(using: &random) {
            append(frame(9, payload), masks)
            expected.append(.ping(payload))
            pongs += frame(10, payload)
        } else {
            append(frame(10, payload), masks)
            expected.append(.pong(payload))
        }
    }

    mutating func pieces() -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(Int.random(in: 1...([1, 5, 100, 20_000].randomElement(using: &random) ?? 1), using: &random))
            pieces.append(Array(part))
            rest = rest.dropFirst(part.count)
        }
        return pieces
    }
}

@Suite("Random conversations", .guarded)
struct ModelTests {
    static let agreements: [DeflateAgreement?] = [
        nil, DeflateAgreement(), DeflateAgreement(serverNoContextTakeover: false, clientNoContextTakeover: false),
    ]

    @Test(arguments: 0..<60 as Range<UInt64>, agreements)
    func randomConversationsAreReceivedByServers(seed: UInt64, agreement: DeflateAgreement?) throws {
        let remembers = agreement.map { !$0.clientNoContextTakeover } ?? false
        var talk = try Conversation(seed: seed, compresses: agreement != nil, remembers: remembers, masks: true)
        let server = Endpoint(deflate: agreement)
        for piece in talk.pieces() { server.feed(piece) }
        #expect(server.received == talk.expected)
        let endsWithClose = talk.expected.last == .close(.goingAway, "bye")
        #expect(server.output == talk.pongs + (endsWithClose ? closeFrame(1001) : []))
        #expect(server.closure == (endsWithClose ? .byPeer(.goingAway) : nil))
        #expect(server.isBetweenMessages)
    }

    @Test(arguments: 100..<130 as Range<UInt64>)
    func randomConversationsAreReceivedByClients(seed: UInt64) throws {
        var talk = try Conversation(seed: seed, compresses: true, remembers: true, masks: false)
        let client = Endpoint.client(deflate: DeflateAgreement(serverNoContextTakeover: false))
        for piece in talk.pieces() { client.feed(piece) }
        #expect(client.received == talk.expected)
    }

    @Test(arguments: 200..<260 as Range<UInt64>)
    func aFlippedBitNeverLetsInvalidTextThrough(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let talk = try Conversation(seed: seed, compresses: true, remembers: false, masks: true)
        for _ in 0..<20 {
            var bytes = talk.bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            let server = Endpoint(deflate: DeflateAgreement())
            server.feed(bytes)
            #expect(!server.receivedInvalidText)
            if case .violation(let violation) = server.closure {
                let code = violation.closeCode.rawValue
                #expect(server.output.suffix(4) == frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)])[...])
            }
        }
    }
}

@Suite("The memory of a connection", .guarded)
struct FootprintTests {
    @Test func anIdleConnectionIsSmallAndOwnsNothing() {
        #expect(MemoryLayout<WebSocketConnection>.size <= 200)
        let endpoint = Endpoint(deflate: DeflateAgreement())
        #expect(endpoint.isBetweenMessages)
        let message = frame(1, [UInt8](repeating: 0x61, count: 5000)).masked()
        for cut in [1, 5, 9, 4000] {
            endpoint.feed(Array(message[..<cut]))
            #expect(!endpoint.isBetweenMessages)
            endpoint.feed(Array(message[cut...]))
            #expect(endpoint.isBetweenMessages)
            #expect(endpoint.keptBytes == 0)
        }
    }

    @Test func memoryIsAllocatedOnlyForReceivedBytes() {
        let endpoint = Endpoint()
        endpoint.feed(hex("82 ff 00 00 00 00 00 0f 00 00 00 00 00 00") + [1, 2, 3])
        #expect(!endpoint.isBetweenMessages)
        #expect(endpoint.keptBytes < 100)
        endpoint.feed([UInt8](repeating: 0, count: 1000))
        #expect(endpoint.keptBytes < 4000)
    }

    @Test func aCompleteMessageIsBorrowedFromTheInputBuffer() {
        var bytes = frame(9, "p").masked() + frame(2, "abc").masked() + frame(1, "d").masked()
        var connection = WebSocketConnection(role: .server, limits: WebSocketLimits(), deflate: nil)
        var output: [UInt8] = []
        var span = bytes.mutableSpan
        var position = 0
        var ranges: [Range<Int>] = []
        reading: while true {
            switch connection.next(in: &span, from: &position, into: &output) {
            case .message(_, .lent(let range)): ranges.append(range)
            case .message(_, .owned): Issue.record("copied")
            case .control: continue
            case .exhausted: break reading
            }
            #expect(connection.keptBytes == 0)
        }
        #expect(ranges == [13..<16, 22..<23])
        #expect(bytes[13..<16] == Array("abc".utf8)[...])
        #expect(bytes[22..<23] == Array("d".utf8)[...])
    }

    @Test func theStorageOfAnInflatedMessageIsUsedAgain() throws {
        let pool = DeflatePool()
        var connection = WebSocketConnection(
            role: .server, limits: WebSocketLimits(), deflate: NegotiatedDeflate(DeflateAgreement(), pool: pool))
        var output: [UInt8] = []
        // A short message after a long one: inflated into storage of its own it would have far less of it.
        for count in [5000, 10] {
            var bytes = frame(1, try deflated([UInt8](repeating: 0x61, count: count)), rsv: 4).masked()
            var span = bytes.mutableSpan
            var position = 0
            guard case .message(.text, .owned(let storage)) = connection.next(in: &span, from: &position, into: &output) else {
                Issue.record("no inflated message")
                return
            }
            #expect(storage.count == count)
            #expect(storage.capacity >= 5000)
            connection.reuse(.owned(storage))
        }
    }
}
