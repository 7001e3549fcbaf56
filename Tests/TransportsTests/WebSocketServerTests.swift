import HTTP
import Linux
import Messaging
import Reactor
import Sessions
import Testing
import WSProtocol

@testable import Transports

@Suite("The WebSocket connections of a loop")
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
        func lost(_ endpoint: WebSocketEndpoint) {}
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
}
