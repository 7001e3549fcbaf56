package import HTTP
package import Messaging
import Reactor
package import WSProtocol

/// What happens with the messages of WebSocket connections: sessions of the hub, or a plain echo. Both use the same connection code, so what
/// a conformance suite proves for one holds for the other.
package protocol WebSocketApplication: AnyObject {
    /// The path that may be upgraded; nil: every path.
    var path: String? { get }
    var handshake: HandshakePolicy { get }
    /// A reason of the application's own not to upgrade, before the handshake is judged.
    func refusal(of request: HTTPRequest) -> HTTPResponse?
    func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement)
    /// The application may send and close meanwhile; `machine.answer` joins the answers to several messages of one read.
    func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine)
    func drained(_ endpoint: WebSocketEndpoint)
    /// Whether it is known whose connection it is. One of nobody may be closed to make room.
    func hasUser(_ endpoint: WebSocketEndpoint) -> Bool
    func closed(_ endpoint: WebSocketEndpoint)
    /// The connection must end, for example because the peer does not answer pings. The application says so in its own way and closes it.
    func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason)
}

/// Sends every message back, in the kind it came.
package final class EchoApplication: WebSocketApplication {
    package let path: String? = nil
    package let handshake: HandshakePolicy
    private unowned let server: WebSocketServer

    package init(server: WebSocketServer, handshake: HandshakePolicy) {
        self.server = server
        self.handshake = handshake
    }

    package func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
    package func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}

    package func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
        machine.answer(kind, payload)
        if server.table.isCongested(endpoint.id) { server.table.pauseReading(endpoint.id) }
    }

    package func hasUser(_ endpoint: WebSocketEndpoint) -> Bool { true }
    package func drained(_ endpoint: WebSocketEndpoint) { server.table.resumeReading(endpoint.id) }
    package func closed(_ endpoint: WebSocketEndpoint) {}
    package func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason) { server.close(endpoint.id, reason) }
}
