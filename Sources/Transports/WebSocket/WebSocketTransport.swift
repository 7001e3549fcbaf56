import Auth
package import HTTP
package import Messaging
import Pacing
package import Reactor
package import Sessions
package import WSProtocol

/// Sessions over WebSockets: one session for each connection, for as long as the connection lives.
package final class WebSocketTransport: WebSocketApplication, Transport {
    package let path: String? = "/v1/socket"
    package var name: String { "websocket" }
    package let handshake: HandshakePolicy
    private unowned let server: WebSocketServer
    /// The server's, kept here because every delivery asks it twice.
    private let table: ConnectionTable
    private unowned let sessions: SessionLoop
    private var number: UInt8 = 0

    package init(server: WebSocketServer, sessions: SessionLoop, handshake: HandshakePolicy) {
        self.server = server
        table = server.table
        self.sessions = sessions
        self.handshake = handshake
        number = sessions.add(self)
    }

    // MARK: WebSocketApplication

    package func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if sessions.drainSpread != nil {
            var refusal = HTTPResponse(status: 503, text: "this hub is being stopped; another one, or the same one, takes over")
            refusal.headers.append("retry-after", "1")
            return refusal
        }
        return RequestToken.refusal(of: request).map { HTTPResponse(status: 400, text: $0.code + ": " + $0.message) }
    }

    package func opened(_ endpoint: WebSocketEndpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {
        let route = Route(transport: number, encoding: endpoint.format, address: endpoint.id.address)
        endpoint.session = sessions.open(
            route: route,
            credential: agreement.bearer.map { .token($0) }
                ?? RequestToken.credential(of: request, takesContexts: sessions.takesContexts),
            isBrowser: request.headers.count(of: "origin") > 0)
    }

    package func message(_ endpoint: WebSocketEndpoint, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
        guard kind == .text else { return sessions.end(endpoint.session, .badFrame) }
        sessions.message(endpoint.session, payload)
    }

    package func drained(_ endpoint: WebSocketEndpoint) { sessions.drained(endpoint.session) }
    package func hasUser(_ endpoint: WebSocketEndpoint) -> Bool { sessions.isConnected(endpoint.session) }
    package func closed(_ endpoint: WebSocketEndpoint) { sessions.close(endpoint.session) }
    package func end(_ endpoint: WebSocketEndpoint, _ reason: EndReason) { sessions.end(endpoint.session, reason) }

    // MARK: Transport

    package func send(_ json: Span<UInt8>, to address: TransportAddress) { server.send(text: json, to: address.connection) }

    package func stage(_ frame: SharedFrame, encoding: UInt8) -> StagedFrame {
        table.stage(frame.payload(UInt16(number) << 8 | UInt16(encoding)) { json in server.frame(json.span, encoding) })
    }

    package func send(_ frame: StagedFrame, to address: TransportAddress) { table.send(address.connection, frame) }
    package func isCongested(_ address: TransportAddress) -> Bool { table.isCongested(address.connection) }
    package func unsentBytes(_ address: TransportAddress) -> Int { table.backlogBytes(address.connection) }
    package func pauseReading(_ address: TransportAddress) { table.pauseReading(address.connection) }
    package func resumeReading(_ address: TransportAddress) { table.resumeReading(address.connection) }

    /// Sends `bye` before the close frame, which intermediaries often turn into a bare TCP end.
    package func end(_ address: TransportAddress, _ reason: EndReason, spread: Duration) {
        var bye: [UInt8] = []
        ServerMessage.bye(reason, spreadMs: UInt64(spread.wholeMilliseconds), into: &bye)
        send(bye.span, to: address)
        server.close(address.connection, reason)
    }
}

extension ConnectionID {
    var address: TransportAddress { TransportAddress(rawValue: UInt64(generation) << 32 | UInt64(slot)) }
}

extension TransportAddress {
    var connection: ConnectionID {
        ConnectionID(slot: UInt32(truncatingIfNeeded: rawValue), generation: UInt32(truncatingIfNeeded: rawValue >> 32))
    }
}
