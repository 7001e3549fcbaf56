import HangGuard
import Testing
import WSProtocol

/// The bytes go to a server; the connection must fail with this violation, this code on the wire, and nothing delivered.
func expectViolation(
    _ violation: WebSocketViolation, _ bytes: [UInt8], received: [Endpoint.Received] = [], make: () -> Endpoint = { Endpoint() },
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let trace = everyWay(bytes, make, sourceLocation: sourceLocation)
    #expect(trace.closure == .violation(violation), sourceLocation: sourceLocation)
    #expect(trace.step == .closeTransport, sourceLocation: sourceLocation)
    #expect(trace.received == received, sourceLocation: sourceLocation)
    let close = violation.closeCode.rawValue
    #expect(trace.output.suffix(4) == frame(8, [UInt8(close >> 8), UInt8(close & 0xFF)])[...], sourceLocation: sourceLocation)
}

@Suite("RFC 6455 §5.2: the base framing", .guarded)
struct FramingTests {
    @Test(arguments: [1, 2, 4, 3, 5, 6, 7] as [UInt8], [0, 1, 2, 8, 9, 10] as [UInt8])
    func reservedBitsAreRefusedWithoutAnExtension(rsv: UInt8, opcode: UInt8) {
        expectViolation(.reservedBits, frame(opcode, "", rsv: rsv).masked())
    }

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func reservedOpcodesAreRefused(opcode: UInt8) {
        expectViolation(.reservedOpcode, frame(opcode, "").masked())
        expectViolation(.reservedOpcode, frame(opcode, "abc").masked() + frame(1, "later").masked())
    }

    @Test(arguments: [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537])
    func everyLengthGoesThroughAndBack(length: Int) {
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
        #expect(everyWay(frame(2, payload).masked()) { Endpoint() }.received == [.binary(payload)])
        #expect(everyWay(frame(2, payload)) { .client() }.received == [.binary(payload)])
        #expect(FrameEncoder.binary(payload.span) == frame(2, payload))

        let client = Endpoint.client()
        #expect(client.send(.binary, payload))
        #expect(client.takeOutput() == frame(2, payload).masked(0xA1B2_C3D4))
    }

    @Test(arguments: [
        ("82 fe 00 00", WebSocketViolation.lengthNotMinimal), ("82 fe 00 7d", .lengthNotMinimal),
        ("82 ff 00 00 00 00 00 00 00 00", .lengthNotMinimal), ("82 ff 00 00 00 00 00 00 ff ff", .lengthNotMinimal),
        ("82 ff 80 00 00 00 00 00 00 00", .lengthOver63Bits), ("82 ff ff ff ff ff ff ff ff ff", .lengthOver63Bits),
        ("82 ff 7f ff ff ff ff ff ff ff", .messageTooBig), ("82 ff 00 00 00 00 ff ff ff ff", .messageTooBig),
        ("89 fe 00 7e", .controlTooLong), ("88 ff 00 00 00 00 00 01 00 00", .controlTooLong), ("8a fe 00 05", .lengthNotMinimal),
    ])
    func lengthsAreJudgedByTheHeaderAlone(header: String, violation: WebSocketViolation) {
        expectViolation(violation, hex(header) + [1, 2, 3, 4])
    }

    @Test func aServerRefusesUnmaskedFrames() {
        for opcode: UInt8 in [1, 2, 8, 9, 10] { expectViolation(.unmaskedFrame, frame(opcode, "")) }
        expectViolation(.unmaskedFrame, frame(1, "Hello"))
        expectViolation(.unmaskedFrame, frame(1, "a").masked() + frame(1, "b"), received: [.text("a")])
    }

    @Test func aClientRefusesMaskedFrames() {
        for opcode: UInt8 in [1, 2, 8, 9, 10] {
            let trace = everyWay(frame(opcode, "").masked()) { .client() }
            #expect(trace.closure == .violation(.maskedFrame))
            #expect(trace.received.isEmpty)
        }
    }

    @Test func maskingIsUndoneForEveryKeyAndOffset() {
        var random = SeededGenerator(seed: 42)
        for length in 0..<140 {
            let payload = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let key = UInt32.random(in: 0...UInt32.max, using: &random)
            #expect(everyWay(frame(2, payload).masked(key)) { Endpoint() }.received == [.binary(payload)])
        }
    }
}

@Suite("RFC 6455 §5.4: fragmentation", .guarded)
struct FragmentationTests {
    @Test func manyFragmentsAreOneMessage() {
        let bytes =
            frame(1, "fra", fin: false).masked() + frame(0, "", fin: false).masked() + frame(0, "gm", fin: false).masked()
            + frame(0, "ents").masked()
        #expect(everyWay(bytes) { Endpoint() }.received == [.text("fragments")])
    }

    @Test func emptyFragmentsAreAnEmptyMessage() {
        #expect(everyWay(frame(1, "", fin: false).masked() + frame(0, "").masked()) { Endpoint() }.received == [.text("")])
        #expect(everyWay(frame(2, "", fin: false).masked() + frame(0, "x").masked()) { Endpoint() }.received == [.binary([120])])
    }

    @Test func controlFramesMayStandBetweenFragments() {
        let bytes =
            frame(1, "a", fin: false).masked() + frame(9, "p").masked() + frame(0, "b", fin: false).masked()
            + frame(10, "q").masked() + frame(0, "c").masked()
        let trace = everyWay(bytes) { Endpoint() }
        #expect(trace.received == [.ping([112]), .pong([113]), .text("abc")])
        #expect(trace.output == frame(10, "p"))
    }

    @Test func aContinuationNeedsAMessage() {
        expectViolation(.continuationWithoutMessage, frame(0, "x").masked())
        expectViolation(.continuationWithoutMessage, frame(1, "x").masked() + frame(0, "y").masked(), received: [.text("x")])
        expectViolation(.continuationWithoutMessage, frame(0, "x", fin: false).masked())
    }

    @Test func messagesDoNotMix() {
        expectViolation(.messageInsideMessage, frame(1, "x", fin: false).masked() + frame(1, "y").masked())
        expectViolation(.messageInsideMessage, frame(1, "x", fin: false).masked() + frame(2, "y", fin: false).masked())
    }

    @Test(arguments: [8, 9, 10] as [UInt8])
    func controlFramesAreNotFragmented(opcode: UInt8) {
        expectViolation(.fragmentedControl, frame(opcode, "", fin: false).masked())
    }

    @Test func theLimitIsThatOfTheWholeMessage() {
        let limits = WebSocketLimits(messageBytes: 10)
        func make() -> Endpoint { Endpoint(limits: limits) }
        #expect(everyWay(frame(1, "0123456789").masked(), make).received == [.text("0123456789")])
        expectViolation(.messageTooBig, frame(1, "0123456789a").masked(), make: make)
        let fragments = frame(1, "01234", fin: false).masked() + frame(0, "56789", fin: false).masked()
        #expect(everyWay(fragments + frame(0, "").masked(), make).received == [.text("0123456789")])
        expectViolation(.messageTooBig, fragments + frame(0, "a").masked(), make: make)
        // The next message starts from nothing.
        let two = frame(1, "01234", fin: false).masked() + frame(0, "56789").masked() + frame(2, "0123456789").masked()
        #expect(everyWay(two, make).received.count == 2)
    }

    @Test func aTooLargeLengthIsRefusedBeforeAnyPayload() {
        let endpoint = Endpoint(limits: WebSocketLimits(messageBytes: 1000))
        #expect(endpoint.feed(hex("82 fe 03 e9 00 00 00 00")) == .closeTransport)
        #expect(endpoint.closure == .violation(.messageTooBig))
    }
}

@Suite("RFC 6455 §5.5: control frames", .guarded)
struct ControlFrameTests {
    @Test(arguments: [0, 1, 124, 125])
    func pingsAreAnsweredWithTheSameBytes(length: Int) {
        let payload = [UInt8](repeating: 0xFE, count: length)
        let trace = everyWay(frame(9, payload).masked()) { Endpoint() }
        #expect(trace.received == [.ping(payload)])
        #expect(trace.output == frame(10, payload))
    }

    @Test func everyPingIsAnsweredInOrder() {
        let bytes = (0..<10).flatMap { frame(9, "ping \($0)").masked() }
        #expect(everyWay(bytes) { Endpoint() }.output == (0..<10).flatMap { frame(10, "ping \($0)") })
    }

    @Test func pongsNeedNoPing() {
        let trace = everyWay(frame(10, "x").masked()) { Endpoint() }
        #expect(trace.received == [.pong([120])])
        #expect(trace.output.isEmpty)
    }

    @Test func ownPingsAreCutAt125Bytes() {
        let endpoint = Endpoint()
        #expect(endpoint.ping([UInt8](repeating: 1, count: 126)))
        #expect(endpoint.takeOutput() == frame(9, [UInt8](repeating: 1, count: 125)))
    }

    @Test func aClientMasksItsAnswers() {
        let client = Endpoint.client()
        client.feed(frame(9, "abc"))
        #expect(client.takeOutput() == frame(10, "abc").masked(0xA1B2_C3D4))
    }
}
