import HangGuard
import Testing
import WSProtocol

func closeFrame(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    frame(8, [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
}

@Suite("RFC 6455 §7: the closing handshake", .guarded)
struct ClosingTests {
    @Test func thePeersCloseIsAnsweredWithItsCode() {
        let trace = everyWay(closeFrame(1001, "bye").masked()) { Endpoint() }
        #expect(trace.received == [.close(.goingAway, "bye")])
        #expect(trace.output == closeFrame(1001))
        #expect(trace.closure == .byPeer(.goingAway))
        #expect(trace.step == .closeTransport)
    }

    @Test func aCloseWithoutCodeIsAnsweredWithoutCode() {
        let trace = everyWay(frame(8, "").masked()) { Endpoint() }
        #expect(trace.received == [.close(.noStatus, "")])
        #expect(trace.output == frame(8, ""))
        #expect(trace.closure == .byPeer(.noStatus))
    }

    @Test func theClientWaitsForTheServerToCloseTheTransport() {
        let trace = everyWay(closeFrame(1000)) { .client() }
        #expect(trace.output == closeFrame(1000).masked(0xA1B2_C3D4))
        #expect(trace.step == .awaitPeer)
        #expect(!trace.isOpen)
    }

    @Test func nothingCountsAfterTheCloseFrame() {
        let after = frame(1, "late").masked() + frame(9, "late").masked() + hex("ff ff ff")
        let trace = everyWay(closeFrame(1000).masked() + after) { Endpoint() }
        #expect(trace.received == [.close(.normal, "")])
        #expect(trace.output == closeFrame(1000))
        #expect(trace.closure == .byPeer(.normal))
    }

    @Test func aCloseInsideAFragmentedMessageIsAnswered() {
        let trace = everyWay(frame(1, "half", fin: false).masked() + closeFrame(1000).masked()) { Endpoint() }
        #expect(trace.received == [.close(.normal, "")])
        #expect(trace.output == closeFrame(1000))
    }

    @Test func ownCloseWaitsForThePeersAndSkipsMessages() {
        let endpoint = Endpoint()
        endpoint.feed(frame(1, "half", fin: false).masked())
        endpoint.close(WebSocketCloseCode(4200), "draining")
        #expect(endpoint.step == .awaitPeer)
        #expect(endpoint.takeOutput() == closeFrame(4200, "draining"))
        let more =
            frame(0, " done").masked() + frame(1, "skipped").masked() + frame(9, "no pong").masked()
            + frame(2, [UInt8](repeating: 0, count: 70_000)).masked()
        #expect(endpoint.feed(more) == .awaitPeer)
        #expect(endpoint.received == [.ping(Array("no pong".utf8))])
        #expect(endpoint.takeOutput().isEmpty)
        #expect(!endpoint.send("refused"))
        #expect(!endpoint.ping([]))
        #expect(endpoint.feed(closeFrame(4200).masked()) == .closeTransport)
        #expect(endpoint.takeOutput().isEmpty)
        #expect(endpoint.closure == .byPeer(WebSocketCloseCode(4200)))
    }

    @Test func bothMayCloseAtOnce() {
        let server = Endpoint()
        let client = Endpoint.client()
        server.close(.goingAway)
        client.close(.normal)
        let (fromServer, fromClient) = (server.takeOutput(), client.takeOutput())
        #expect(server.feed(fromClient) == .closeTransport)
        #expect(client.feed(fromServer) == .awaitPeer)
        #expect(server.takeOutput().isEmpty && client.takeOutput().isEmpty)
        #expect(server.closure == .byPeer(.normal))
        #expect(client.closure == .byPeer(.goingAway))
    }

    @Test func onlyTheFirstCloseIsSent() {
        let endpoint = Endpoint()
        endpoint.close(.normal)
        endpoint.close(.goingAway)
        #expect(endpoint.takeOutput() == closeFrame(1000))
    }

    @Test func theDriverMayCloseBetweenTwoEvents() {
        let endpoint = Endpoint()
        endpoint.answer = { endpoint, event in
            if case .text = event { endpoint.close(.policyViolation, "no") }
        }
        let frames = frame(9, "a").masked() + frame(1, "b").masked() + frame(1, "c").masked() + frame(9, "d").masked()
        #expect(endpoint.feed(frames) == .awaitPeer)
        #expect(endpoint.received == [.ping([97]), .text("b"), .ping([100])])
        #expect(endpoint.takeOutput() == frame(10, "a") + closeFrame(1008, "no"))
    }

    @Test(arguments: [nil, DeflateAgreement(serverNoContextTakeover: false, clientNoContextTakeover: false)])
    func theDriverMaySendBetweenTwoEvents(agreement: DeflateAgreement?) {
        let endpoint = Endpoint(deflate: agreement)
        endpoint.answer = { endpoint, event in
            switch event {
            case .text(let text): #expect(endpoint.send(text))
            case .binary(let bytes): #expect(endpoint.send(.binary, bytes))
            case .ping, .pong, .close: break
            }
        }
        endpoint.feed(frame(1, "a").masked() + frame(9, "b").masked() + frame(2, "c").masked())
        #expect(endpoint.takeOutput() == frame(1, "a") + frame(10, "b") + frame(2, "c"))
    }
}

@Suite("RFC 6455 §7.4: close codes and reasons", .guarded)
struct CloseCodeTests {
    static let allowed: Set<UInt16> = Set([1000, 1001, 1002, 1003] + Array(1007...1014) + Array(3000...4999))

    @Test func exactlyTheRegisteredAndPrivateCodesAreTaken() {
        for code in UInt16.min...UInt16.max {
            let endpoint = Endpoint()
            endpoint.feed(closeFrame(code).masked())
            if Self.allowed.contains(code) {
                #expect(endpoint.closure == .byPeer(WebSocketCloseCode(code)))
            } else {
                #expect(endpoint.closure == .violation(.closeCodeNotAllowed))
                #expect(endpoint.takeOutput() == closeFrame(1002))
            }
        }
    }

    @Test func aPayloadOfOneByteIsRefusedByItsHeader() {
        expectViolation(.closePayloadOfOneByte, hex("88 81 00 00 00 00 03"))
    }

    @Test(arguments: [0, 1, 122, 123])
    func reasonsAreDelivered(length: Int) {
        let reason = String(repeating: "r", count: length)
        #expect(everyWay(closeFrame(1000, reason).masked()) { Endpoint() }.received == [.close(.normal, reason)])
    }

    @Test(arguments: ["ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65", "ff", "c3", "f4 90 80 80"])
    func aReasonMustBeUTF8(reason: String) {
        expectViolation(.closeReasonNotUTF8, frame(8, [0x03, 0xE8] + hex(reason)).masked())
    }

    @Test func ownReasonsAreCutAtACharacter() {
        let endpoint = Endpoint()
        endpoint.close(.normal, String(repeating: "é", count: 70))
        #expect(endpoint.takeOutput() == closeFrame(1000, String(repeating: "é", count: 61)))
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] as [UInt16])
    func aCodeThatMayNotBeSentIsNot(code: UInt16) {
        #expect(FrameEncoder.close(WebSocketCloseCode(code), reason: "x") == frame(8, ""))
    }
}
