import HTTP
import HangGuard
import Linux
import Messaging
import Sessions
import Telemetry
import Testing
import WSProtocol

@testable import Reactor
@testable import Transports

@Suite("WebSocket connections of silent peers, and their frames", .guarded)
struct SilentPeerTests {
    /// Keeps what it is told.
    private final class Listener: WebSocketApplication {
        let path: String? = nil
        let handshake = HandshakePolicy()
        var endpoint: WebSocketEndpoint?
        var ended: [EndReason] = []

        func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
        func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) { self.endpoint = endpoint }
        func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {}
        func drained(_ endpoint: WebSocketEndpoint) {}
        func closed(_ endpoint: WebSocketEndpoint) {}
        func hasUser(_ endpoint: WebSocketEndpoint) -> Bool { true }
        func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason) { ended.append(reason) }
    }

    @Test("a silent peer is pinged, and is dead when it has not answered in time and cannot be seen to read")
    func pings() throws {
        let bench = try ServerBench()
        let sockets = WebSocketServer(bench.server)
        let listener = Listener()
        sockets.serve(listener)
        bench.server.setUpgradeHandler(sockets)
        _ = bench.say(String(decoding: ClientHandshake(host: "h", target: "/x", nonce: (1, 2), deflate: nil).requestHead, as: UTF8.self))
        let endpoint = try #require(listener.endpoint)

        endpoint.liveness = .heard(bench.loop.now, read: 0, pinged: 0)
        bench.server.deadline(endpoint.id)
        bench.turn()
        #expect(bench.hear().isEmpty, "it has just been heard")
        endpoint.liveness = .heard(bench.loop.now + (.zero - bench.server.limits.pingInterval), read: 0, pinged: 0)
        bench.server.deadline(endpoint.id)
        bench.turn()
        #expect(bench.hear() == FrameEncoder.ping())

        bench.server.deadline(endpoint.id)
        #expect(listener.ended.isEmpty, "it has time to answer")
        endpoint.liveness = .awaitsPong(PongWait(nil, read: 0, at: bench.loop.now, for: .zero))
        bench.server.deadline(endpoint.id)
        #expect(listener.ended == [.noPong] && bench.server.metrics.pongTimeouts.value == 1)
        bench.server.detach()
        sockets.detach()
    }

    @Test("frames for many connections are compressed from the threshold on")
    func threshold() throws {
        let bench = try ServerBench()
        let sockets = WebSocketServer(bench.server)
        let most = bench.server.limits.socket.compressionThresholdBytes
        for (count, first) in [(most - 1, UInt8(0x81)), (most, 0xC1)] {
            let text = [UInt8](repeating: UInt8(ascii: "x"), count: count)
            let frame = sockets.frame(text.span, 15)
            #expect(frame.first == first)
        }
        bench.server.detach()
        sockets.detach()
    }

    @Test("only connections of which both ends forget share frame machines", arguments: [true, false], [true, false])
    func kinds(server: Bool, client: Bool) {
        let agreement = DeflateAgreement(serverNoContextTakeover: server, clientNoContextTakeover: client, serverWindowBits: 12)
        #expect(FrameMachine.Kind(agreement) == (server && client ? FrameMachine.Kind(rawValue: 12) : .own))
    }
}
