package import HTTP
import Linux
package import Messaging
import Pacing
package import Reactor
package import Sessions
package import WSProtocol

/// Sessions over WebSockets: gives a loop's sessions their sockets, and the sockets their sessions.
package final class SocketSessions: SocketApplication, SessionOutlet {
    package let path: String? = "/v1/socket"
    package let handshake: HandshakePolicy
    package let introduction: Duration?
    private unowned let serving: ServingLoop
    /// Of the serving loop, kept at hand: it is asked twice for every delivery.
    private let table: ConnectionTable
    private let sessions: SessionLoop
    /// The hub is being stopped: how long its clients may take to come back.
    private var drainSpread: Duration?

    package init(serving: ServingLoop, sessions: SessionLoop, handshake: HandshakePolicy, introduction: Duration) {
        self.serving = serving
        table = serving.table
        self.sessions = sessions
        self.handshake = handshake
        self.introduction = introduction
        sessions.attach(self)
    }

    // MARK: SocketApplication

    /// A token in the address would stand in every proxy's log.
    package func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if drainSpread != nil {
            return HTTPResponse(status: 503, text: "this hub is being stopped; another one, or the same one, takes over")
        }
        guard let query = try? HTTPQuery(request.query) else { return HTTPResponse(status: 400, text: "the query cannot be read") }
        guard query["token"] == nil, query["access_token"] == nil else {
            return HTTPResponse(
                status: 400,
                text: "query_token: a token in the address ends up in logs; send it in connect, as the subprotocol item "
                    + "hub.bearer.<token>, or as an Authorization header")
        }
        return nil
    }

    package func opened(_ endpoint: Endpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {
        sessions.open(
            endpoint.id.key, format: endpoint.format,
            handshakeToken: agreement.bearer ?? Self.bearer(request.headers.first("authorization")))
    }

    /// RFC 6750 §2.1
    private static func bearer(_ authorization: String?) -> String? {
        guard let authorization, authorization.count > 7, authorization.prefix(7).lowercased() == "bearer " else { return nil }
        return String(authorization.dropFirst(7))
    }

    package func message(_ id: ConnectionID, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
        guard kind == .text else { return close(id.key, .badFrame) }
        sessions.message(id.key, payload)
    }

    package func drained(_ id: ConnectionID) { sessions.drained(id.key) }
    package func closed(_ id: ConnectionID) { sessions.close(id.key) }
    package func isIntroduced(_ id: ConnectionID) -> Bool { sessions.isConnected(id.key) }
    package func end(_ id: ConnectionID, _ reason: EndReason) { close(id.key, reason) }

    // MARK: SessionOutlet

    package func send(_ json: Span<UInt8>, to key: SessionKey) { serving.send(text: json, to: key.connection) }

    package func stage(_ frame: SharedFrame, format: UInt8) -> StagedFrame {
        table.stage(frame.payload(format) { json in serving.frame(json.span, format) })
    }

    package func send(_ frame: StagedFrame, to key: SessionKey) { table.send(key.connection, frame) }
    package func isCongested(_ key: SessionKey) -> Bool { table.isCongested(key.connection) }
    package func pauseReading(_ key: SessionKey) { serving.pauseReading(key.connection) }
    package func resumeReading(_ key: SessionKey) { serving.resumeReading(key.connection) }

    /// Says goodbye first: intermediaries often turn a close frame into a bare TCP end.
    package func close(_ key: SessionKey, _ reason: EndReason) {
        var bye: [UInt8] = []
        let spread = reason == .draining ? drainSpread ?? .zero : .zero
        ServerMessage.bye(reason, afterMs: 0, spreadMs: UInt64(spread.wholeMilliseconds), into: &bye)
        send(bye.span, to: key)
        serving.close(key.connection, reason)
    }

    /// Sessions closed per step of the drain.
    private static let drainStep = 64

    /// Closes every session with 4200 in small steps over half of `spread`, each when what it asked for is answered; the clients come back
    /// over all of it.
    package func drain(spread: Duration) {
        drainSpread = spread
        table.stopListening()
        let keys = sessions.keys
        let steps = max(1, (keys.count + Self.drainStep - 1) / Self.drainStep)
        let pause = spread / (2 * steps)
        drainNext(keys[...], pause: pause)
    }

    private func drainNext(_ keys: ArraySlice<SessionKey>, pause: Duration) {
        for key in keys.prefix(Self.drainStep) { sessions.leave(key) }
        let rest = keys.dropFirst(Self.drainStep)
        guard !rest.isEmpty else { return }
        serving.loop.after(pause) { [unowned self] in drainNext(rest, pause: pause) }
    }

    package func identityChanged(_ key: SessionKey) {
        guard let endpoint = serving.endpoint(key.connection), let expiry = sessions.expiry(key) else { return }
        let left = expiry.milliseconds &- sessions.now.milliseconds
        endpoint.expiresAt = serving.loop.now + .milliseconds(max(0, left))
        serving.arm(endpoint)
    }
}

extension ConnectionID {
    package var key: SessionKey { SessionKey(rawValue: UInt64(generation) << 32 | UInt64(slot)) }
}

extension SessionKey {
    package var connection: ConnectionID {
        ConnectionID(slot: UInt32(truncatingIfNeeded: rawValue), generation: UInt32(truncatingIfNeeded: rawValue >> 32))
    }
}
