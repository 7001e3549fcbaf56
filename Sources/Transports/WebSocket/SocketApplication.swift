package import HTTP
package import Messaging
package import Reactor
package import WSProtocol

/// What happens with the messages of WebSocket connections: sessions of the hub, or a plain echo. Both stand on the
/// same connection code, so what a conformance suite proves for one holds for the other.
package protocol SocketApplication: AnyObject {
    /// Paths that may be upgraded; nil: every path.
    var path: String? { get }
    var handshake: HandshakePolicy { get }
    /// Time until the client must have introduced itself; nil: it need not.
    var introduction: Duration? { get }

    /// A reason of the application's own not to upgrade, before the handshake is looked at.
    func refusal(of request: HTTPRequest) -> HTTPResponse?
    func opened(_ endpoint: Endpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement)
    /// The application may send and close meanwhile; `machine.answer` joins the answers to several messages of one read.
    func message(_ id: ConnectionID, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine)
    func drained(_ id: ConnectionID)
    func closed(_ id: ConnectionID)
    func isIntroduced(_ id: ConnectionID) -> Bool
    /// Time is up for the connection; the application says goodbye in its own way and closes it.
    func end(_ id: ConnectionID, _ reason: EndReason)
}

/// Sends every message back, in the kind it came.
package final class EchoApplication: SocketApplication {
    package let path: String? = nil
    package let handshake: HandshakePolicy
    package let introduction: Duration? = nil
    package unowned let serving: ServingLoop

    package init(serving: ServingLoop, handshake: HandshakePolicy) {
        self.serving = serving
        self.handshake = handshake
    }

    package func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
    package func opened(_ endpoint: Endpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}

    package func message(_ id: ConnectionID, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
        machine.answer(kind, payload)
        if serving.isCongested(id) { serving.pauseReading(id) }
    }

    package func drained(_ id: ConnectionID) { serving.resumeReading(id) }
    package func closed(_ id: ConnectionID) {}
    package func isIntroduced(_ id: ConnectionID) -> Bool { true }
    package func end(_ id: ConnectionID, _ reason: EndReason) { serving.close(id, reason) }
}

/// Stands in until the real application is set, right after the loop is made.
final class NoApplication: SocketApplication {
    let path: String? = nil
    let handshake = HandshakePolicy()
    let introduction: Duration? = nil
    func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
    func opened(_ endpoint: Endpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}
    package func message(_ id: ConnectionID, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {}
    package func drained(_ id: ConnectionID) {}
    package func closed(_ id: ConnectionID) {}
    package func isIntroduced(_ id: ConnectionID) -> Bool { false }
    package func end(_ id: ConnectionID, _ reason: EndReason) {}
}
