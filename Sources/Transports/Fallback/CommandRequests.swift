package import HTTP
import Messaging
package import Reactor
package import Sessions

/// `POST /v1/commands`: commands of a session, answered with all their replies.
package final class CommandRequests: HTTPHandler {
    private unowned let server: HTTPServer
    private unowned let sessions: SessionLoop
    private let fallback: FallbackSessions
    private let gate: RequestGate
    private let messageBytes: Int

    /// - Parameter messageBytes: the longest body; longer ones are refused with 413.
    package init(server: HTTPServer, sessions: SessionLoop, fallback: FallbackSessions, gate: RequestGate, messageBytes: Int) {
        self.server = server
        self.sessions = sessions
        self.fallback = fallback
        self.gate = gate
        self.messageBytes = messageBytes
    }

    package func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        let admission: RequestGate.Admission
        switch gate.judge(request, .post) {
        case .answered(let response): return .now(response)
        case .admitted(let admitted): admission = admitted
        }
        let headers = admission.headers
        guard body.count <= messageBytes else {
            return .now(RequestGate.refusal(413, "too_large", "the body has more than \(messageBytes) bytes", headers))
        }
        switch admission.target {
        case .elsewhere(let loop): return .elsewhere(loop: loop)
        case .ended: return .now(RequestGate.unknownSession(headers))
        case .session(let session):
            let isTaken = sessions.message(session, body.span) { [unowned server, unowned sessions] replies in
                if replies.isEmpty, !sessions.isConnected(session) { return server.respond(id, RequestGate.unknownSession(headers)) }
                server.respond(id, Self.response(200, replies, headers))
            }
            guard isTaken else {
                let message = "as many commands of this session wait for their replies as may; repeat these after some of them"
                return .now(RequestGate.refusal(503, "unavailable", message, headers))
            }
        case .new where admission.credential != nil && !sessions.opensSession(body.span), .withoutSession: carryOut(body, admission, id)
        case .new:
            guard sessions.opensSession(body.span) else {
                let message = "without a session the first line must be a connect with an id; its reply names the session"
                return .now(RequestGate.refusal(400, "bad_request", message, headers))
            }
            fallback.open(body, credential: admission.credential, isBrowser: admission.isBrowser) { [unowned server] opening in
                switch opening {
                case .opened(_, let replies): server.respond(id, Self.response(200, replies, headers))
                case .refused(let status, []): server.respond(id, RequestGate.refusal(status, replies: [], headers))
                case .refused(let status, let replies): server.respond(id, Self.response(status, replies, headers))
                }
            }
        }
        return .later
    }

    /// Carries the commands out in a session of their own, which ends with the answer: the client's session is not here.
    private func carryOut(_ body: [UInt8], _ admission: RequestGate.Admission, _ id: ConnectionID) {
        let epoch = admission.query["epoch"].map { Epoch(orUnknown: $0) }
        let channels = sessions.channels(namedBy: body.span, epoch: epoch)
        let connect = FallbackSessions.connect(token: nil, channels: channels, positions: [])
        let headers = admission.headers
        fallback.open(connect, credential: admission.credential, isBrowser: false, for: .oneRequest(isUnheard: true)) {
            [unowned server, unowned sessions] opening in
            switch opening {
            case .refused(let status, let replies): server.respond(id, RequestGate.refusal(status, replies: replies, headers))
            case .opened(let session, _):
                _ = sessions.message(session.id, body.span) { replies in
                    sessions.close(session.id)
                    server.respond(id, Self.response(200, replies, headers))
                }
            }
        }
    }

    private static func response(_ status: Int, _ replies: [UInt8], _ headers: [(String, String)]) -> HTTPResponse {
        var response = RequestGate.answer(status, "application/x-ndjson", replies, headers)
        if status == 503 { response.headers.append("retry-after", "1") }
        return response
    }

    package func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { gate.response(to: request, reason) }

    package func drained(_ id: ConnectionID) {}
    /// The replies are still sent: a client may end its side behind its request.
    package func peerEnded(_ id: ConnectionID) {}
    package func deadline(_ id: ConnectionID) {}
    /// The commands are carried out all the same. Their replies find nobody.
    package func closed(_ id: ConnectionID) {}
}
