import HangGuard
import Testing
import WSProtocol
import Zlib

private let noTakeover = DeflateAgreement()
private let takeover = DeflateAgreement(serverNoContextTakeover: false, clientNoContextTakeover: false)

/// The payload `text` has when compressed from nothing, by zlib alone.
func deflated(_ payload: [UInt8], _ deflater: Deflater? = Deflater()) throws -> [UInt8] {
    let deflater = try #require(deflater)
    var bytes: [UInt8] = []
    deflater.compress(payload.span, into: &bytes)
    #expect(bytes.suffix(4) == [0, 0, 0xFF, 0xFF])
    return Array(bytes.dropLast(4))
}

@Suite("RFC 7692 §7.2.3: the examples", .guarded)
struct DeflateExampleTests {
    @Test(arguments: [
        // §7.2.3.1: one block; then the same in two fragments.
        "c1 07 f2 48 cd c9 c9 07 00", "41 03 f2 48 cd 80 04 c9 c9 07 00",
        // §7.2.3.3: no compression.
        "c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00",
        // §7.2.3.4: a final block.
        "c1 08 f3 48 cd c9 c9 07 00 00",
        // §7.2.3.5: two blocks.
        "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
    ])
    func helloIsInflated(bytes: String) {
        #expect(everyWay(hex(bytes)) { .client(deflate: noTakeover) }.received == [.text("Hello")])
        #expect(everyWay(hex(bytes)) { .client(deflate: takeover) }.received == [.text("Hello")])
    }

    @Test func theWindowIsSharedOnlyWithTakeover() {
        // §7.2.3.2: the second message refers to the first.
        let both = hex("c1 07 f2 48 cd c9 c9 07 00") + hex("c1 05 f2 00 11 00 00")
        #expect(everyWay(both) { .client(deflate: takeover) }.received == [.text("Hello"), .text("Hello")])
        let alone = everyWay(both) { .client(deflate: noTakeover) }
        #expect(alone.received == [.text("Hello")])
        #expect(alone.closure == .violation(.corruptCompression))
    }

    @Test func theWindowOutlivesAFinalBlock() {
        let both = hex("c1 08 f3 48 cd c9 c9 07 00 00") + hex("c1 05 f2 00 11 00 00")
        #expect(everyWay(both) { .client(deflate: takeover) }.received == [.text("Hello"), .text("Hello")])
    }

    @Test func anEmptyMessageIsOneByte() {
        // §7.2.3.6
        #expect(everyWay(hex("c1 01 00")) { .client(deflate: noTakeover) }.received == [.text("")])
        #expect(everyWay(hex("c1 00")) { .client(deflate: noTakeover) }.received == [.text("")])
        let endpoint = Endpoint(limits: WebSocketLimits(compressionThresholdBytes: 0), deflate: takeover)
        #expect(endpoint.send(""))
        #expect(endpoint.send(""))
        #expect(endpoint.takeOutput() == hex("c1 01 00 c1 01 00"))
    }

    @Test func aFinalBlockMayEndTheMessage() {
        #expect(everyWay(hex("c1 07 f3 48 cd c9 c9 07 00")) { .client(deflate: noTakeover) }.received == [.text("Hello")])
    }
}

@Suite("RFC 7692 §6: messages under the extension", .guarded)
struct CompressedMessageTests {
    @Test func plainMessagesStayAllowed() {
        #expect(everyWay(frame(1, "plain").masked()) { Endpoint(deflate: noTakeover) }.received == [.text("plain")])
    }

    @Test func controlFramesMayStandInside() throws {
        let payload = try deflated(Array("compressed and cut".utf8))
        let bytes =
            frame(1, Array(payload[..<4]), fin: false, rsv: 4).masked() + frame(9, "p").masked()
            + frame(0, Array(payload[4...])).masked()
        let trace = everyWay(bytes) { Endpoint(deflate: noTakeover) }
        #expect(trace.received == [.ping([112]), .text("compressed and cut")])
    }

    @Test(arguments: [0, 8, 9, 10] as [UInt8])
    func theCompressionBitIsAllowedOnlyOnFirstDataFrames(opcode: UInt8) {
        let before = opcode == 0 ? frame(1, "", fin: false, rsv: 4).masked() : []
        expectViolation(.reservedBits, before + frame(opcode, "", rsv: 4).masked()) { Endpoint(deflate: noTakeover) }
    }

    @Test(arguments: [1, 2, 3, 5, 6, 7] as [UInt8])
    func theOtherBitsStayReserved(rsv: UInt8) {
        expectViolation(.reservedBits, frame(1, "", rsv: rsv).masked()) { Endpoint(deflate: noTakeover) }
    }

    @Test(arguments: ["ff", "07", "f2 48", "00 05 00 fa", "00 01 00 00 00 61 00", "f2 48 cd c9 c9 07"])
    func invalidDeflateDataIsRefused(payload: String) {
        expectViolation(.corruptCompression, frame(1, hex(payload), rsv: 4).masked()) { Endpoint(deflate: noTakeover) }
    }

    @Test func inflatedTextIsUTF8() throws {
        expectViolation(.textNotUTF8, frame(1, try deflated(hex("61 ff 62")), rsv: 4).masked()) { Endpoint(deflate: noTakeover) }
        expectViolation(.textNotUTF8, frame(1, try deflated(hex("61 c3")), rsv: 4).masked()) { Endpoint(deflate: noTakeover) }
        #expect(
            everyWay(frame(2, try deflated(hex("61 ff 62")), rsv: 4).masked()) { Endpoint(deflate: noTakeover) }.received == [
                .binary([0x61, 0xFF, 0x62])
            ])
    }

    @Test func aMessageOfExactlyTheLimitPasses() throws {
        let limits = WebSocketLimits(messageBytes: 5000)
        let exact = [UInt8](repeating: 0x61, count: 5000)
        let endpoint = Endpoint(limits: limits, deflate: noTakeover)
        endpoint.feed(frame(2, try deflated(exact), rsv: 4).masked())
        #expect(endpoint.received == [.binary(exact)])
        expectViolation(.messageTooBig, frame(2, try deflated(exact + [0x61]), rsv: 4).masked()) {
            Endpoint(limits: limits, deflate: noTakeover)
        }
    }

    @Test func incompressibleMessagesOfTheLimitPass() throws {
        var random = SeededGenerator(seed: 9)
        let payload = (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }
        let compressed = try deflated(payload)
        #expect(compressed.count > payload.count)
        let endpoint = Endpoint(limits: WebSocketLimits(messageBytes: 4096), deflate: noTakeover)
        endpoint.feed(frame(2, compressed, rsv: 4).masked())
        #expect(endpoint.received == [.binary(payload)])
    }

    @Test func decompressionStopsAtTheLimit() throws {
        // 64 MiB in 64 KiB.
        let bomb = try deflated([UInt8](repeating: 0, count: 64 << 20))
        let endpoint = Endpoint(limits: WebSocketLimits(messageBytes: 100_000), deflate: noTakeover)
        endpoint.feed(frame(2, bomb, rsv: 4).masked())
        #expect(endpoint.closure == .violation(.messageTooBig))
        #expect(endpoint.received.isEmpty)
        // In fragments the sum of the compressed bytes is bounded as well.
        let endless = Endpoint(limits: WebSocketLimits(messageBytes: 1000), deflate: noTakeover)
        endless.feed(frame(2, [UInt8](repeating: 0, count: 900), fin: false, rsv: 4).masked())
        endless.feed(frame(0, [UInt8](repeating: 0, count: 900), fin: false).masked())
        #expect(endless.closure == .violation(.messageTooBig))
    }

    @Test func theLimitHoldsWithinInflater() throws {
        let inflater = try #require(Inflater())
        var output: [UInt8] = []
        let bomb = try deflated([UInt8](repeating: 0, count: 10_000_000))
        #expect(throws: InflateFailure.tooLong) { try inflater.inflate(bomb.span, into: &output, limit: 1000) }
        #expect(output.count == 1000)
        #expect(output.capacity < 100_000)
        for limit in [0, -1] {
            inflater.reset()
            output = []
            #expect(throws: InflateFailure.tooLong) { try inflater.inflate(bomb.span, into: &output, limit: limit) }
            #expect(output.isEmpty)
        }
    }
}

@Suite("RFC 7692 §7.2: sending", .guarded)
struct CompressedSendingTests {
    let text = String(repeating: "{\"type\":\"entry\",\"channel\":\"inbox\"}", count: 12)

    @Test func shortMessagesAreSentUncompressed() {
        let endpoint = Endpoint(limits: WebSocketLimits(compressionThresholdBytes: 10), deflate: noTakeover)
        #expect(endpoint.send("aaaaaaaaa"))
        #expect(endpoint.takeOutput() == frame(1, "aaaaaaaaa"))
        #expect(endpoint.send("aaaaaaaaaa"))
        #expect(endpoint.takeOutput()[0] == 0xC1)
    }

    @Test func incompressibleMessagesAreSentUncompressed() {
        var random = SeededGenerator(seed: 3)
        let noise = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
        let endpoint = Endpoint(deflate: noTakeover)
        #expect(endpoint.send(.binary, noise))
        #expect(endpoint.takeOutput() == frame(2, noise))
    }

    @Test(arguments: [
        noTakeover, takeover, DeflateAgreement(serverWindowBits: 9, clientWindowBits: 9),
        DeflateAgreement(serverNoContextTakeover: false, serverWindowBits: 10),
    ])
    func bothDirectionsUnderstandEachOther(agreement: DeflateAgreement) {
        let server = Endpoint(deflate: agreement)
        let client = Endpoint.client(deflate: agreement)
        var sent: [Endpoint.Received] = []
        for round in 0..<20 {
            let message = "\(round)" + String(repeating: text, count: round * 3 + 1)
            sent.append(.text(message))
            #expect(server.send(message))
            #expect(client.send(message))
        }
        let (fromServer, fromClient) = (server.takeOutput(), client.takeOutput())
        #expect(fromServer.count < 20_000)
        client.feed(fromServer)
        server.feed(fromClient)
        #expect(client.received == sent)
        #expect(server.received == sent)
    }

    @Test func onlyContextTakeoverKeepsTheWindow() {
        for (agreement, remembers) in [(noTakeover, false), (takeover, true)] {
            let endpoint = Endpoint(deflate: agreement)
            #expect(endpoint.send(text))
            let first = endpoint.takeOutput()
            #expect(endpoint.send(text))
            #expect((endpoint.takeOutput().count < first.count) == remembers)
        }
    }

    @Test func aClientAgreedToEightBitsSendsPlain() {
        let client = Endpoint.client(deflate: DeflateAgreement(clientWindowBits: 8))
        #expect(client.send(text))
        #expect(client.takeOutput() == frame(1, text).masked(0xA1B2_C3D4))
    }

    @Test(arguments: [9, 12, 15] as [UInt8])
    func aSharedFrameIsUnderstoodByEveryConnection(windowBits: UInt8) throws {
        let pool = DeflatePool()
        let deflater = try #require(pool.deflater(windowBits: windowBits))
        let shared = FrameEncoder.compressedText(Array(text.utf8).span, using: deflater)
        #expect(shared[0] == 0xC1)
        #expect(shared == FrameEncoder.compressedText(Array(text.utf8).span, using: deflater))
        for _ in 0..<3 {
            let client = Endpoint.client(deflate: DeflateAgreement(serverWindowBits: windowBits))
            client.feed(shared + frame(1, "plain") + shared)
            #expect(client.received == [.text(text), .text("plain"), .text(text)])
        }
    }

    @Test func aSharedFrameThatWouldGrowIsPlain() throws {
        let pool = DeflatePool()
        let deflater = try #require(pool.deflater(windowBits: 15))
        #expect(FrameEncoder.compressedText(Array("x".utf8).span, using: deflater) == frame(1, "x"))
    }
}
