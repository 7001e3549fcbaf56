import HTTP
import HangGuard
import Linux
import Messaging
import Reactor
import Sessions
import Telemetry
import Testing
import WSProtocol

@testable import Transports

@Suite("The WebSocket connections of a loop", .guarded)
struct WebSocketServerTests {
    /// Says something and hangs up, at every message.
    private final class HangsUp: WebSocketApplication {
        let path: String? = nil
        var handshake = HandshakePolicy()
        private unowned let server: WebSocketServer

        init(_ server: WebSocketServer) {
            self.server = server
            handshake.deflate?.serverContextTakeover = true
        }

        func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
        func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}
        func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
            server.send(text: Array("goodbye".utf8).span, to: endpoint.id)
            server.close(endpoint.id, .badFrame)
        }
        func drained(_ endpoint: WebSocketEndpoint) {}
        func hasUser(_ endpoint: WebSocketEndpoint) -> Bool { true }
        func closed(_ endpoint: WebSocketEndpoint) {}
        func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason) {}
    }

    @Test("messages before a close are sent before it, also to a client with its own compression context")
    func lastWords() throws {
        let bench = try ServerBench()
        let sockets = WebSocketServer(bench.server)
        let application = HangsUp(sockets)
        sockets.serve(application)
        bench.server.setUpgradeHandler(sockets)
        var policy = DeflatePolicy()
        policy.serverContextTakeover = true
        let client = ClientHandshake(host: "h", target: "/x", nonce: (1, 2), deflate: policy)
        // Two empty messages, masked with zeros.
        let frames: [UInt8] = [0x81, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0]
        let answer = bench.say(String(decoding: client.requestHead, as: UTF8.self))
        #expect(answer.contains("permessage-deflate") && !answer.contains("server_no_context_takeover"))
        let said = bench.say(bytes: frames)
        #expect(said.suffix(13) == [0x88, 11, 0x0F, 0xA0] + Array("bad_frame".utf8))
        #expect(said.count > 13, "something was said before")
        bench.server.detach()
        sockets.detach()
        withExtendedLifetime(application) {}
    }

    /// Answers every message with as many texts as it has bytes.
    private final class Answers: WebSocketApplication {
        let path: String? = nil
        var handshake = HandshakePolicy()
        private unowned let server: WebSocketServer
        private let text: [UInt8]
        var ended: [EndReason] = []

        init(_ server: WebSocketServer, takesOver: Bool, bytes: Int) {
            self.server = server
            text = [UInt8](repeating: UInt8(ascii: "x"), count: bytes)
            handshake.deflate?.serverContextTakeover = takesOver
        }

        func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
        func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}
        func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
            let text = text
            for _ in 0..<payload.count { server.send(text: text.span, to: endpoint.id) }
        }
        func drained(_ endpoint: WebSocketEndpoint) {}
        func closed(_ endpoint: WebSocketEndpoint) {}
        func hasUser(_ endpoint: WebSocketEndpoint) -> Bool { true }
        func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason) {
            ended.append(reason)
            server.close(endpoint.id, reason)
        }
    }

    @Test("a turn compresses a bounded number of bytes, and sends the rest as it is", arguments: [false, true])
    func compressionInATurn(takesOver: Bool) throws {
        let bench = try ServerBench()
        let sockets = WebSocketServer(bench.server)
        let application = Answers(sockets, takesOver: takesOver, bytes: 60_000)
        sockets.serve(application)
        bench.server.setUpgradeHandler(sockets)
        var policy = DeflatePolicy()
        policy.serverContextTakeover = takesOver
        let client = ClientHandshake(host: "h", target: "/x", nonce: (1, 2), deflate: policy)
        _ = bench.say(String(decoding: client.requestHead, as: UTF8.self))
        for _ in 1...2 {
            // A text of three bytes, masked with zeros.
            var said = bench.say(bytes: [0x81, 0x83, 0, 0, 0, 0] + Array("abc".utf8))
            for _ in 0..<10 {
                bench.turn()
                said += bench.hear()
            }
            // Two compressed frames of some hundred bytes, then a plain one with its length in 16 bits.
            #expect(said.first == 0xC1)
            #expect(said.count > 60_000 && said.count < 62_000)
            #expect(said[said.count - 60_004] == 0x81)
        }
        #expect(bench.server.metrics.uncompressed.value == 2)
        bench.server.detach()
        sockets.detach()
        withExtendedLifetime(application) {}
    }

    @Test("a connection beyond those of its address is closed with 4103 after the upgrade")
    func addressesOfWebSockets() throws {
        let bench = try ServerBench { $0.connectionsPerAddress = 1 }
        let sockets = WebSocketServer(bench.server)
        let application = Answers(sockets, takesOver: false, bytes: 1)
        sockets.serve(application)
        bench.server.setUpgradeHandler(sockets)
        let client = ClientHandshake(host: "h", target: "/x", nonce: (1, 2), deflate: nil)
        let (first, other, second) = (try bench.connect(from: 1), try bench.connect(from: 2), try bench.connect(from: 1))
        for peer in [first, other, second] { _ = Socket.send(peer, client.requestHead.span) }
        for _ in 0..<3 { bench.turn() }
        #expect(application.ended == [.connectionLimit])
        #expect(bench.hear(second).suffix(20) == [0x88, 18, 0x10, 0x07] + Array("connection_limit".utf8))
        bench.server.detach()
        sockets.detach()
        withExtendedLifetime(application) {}
    }
}
