package import HTTP
import JSON
import Messaging
import Pacing
package import Reactor
package import Sessions

/// `POST /v1/ticket`: an authenticated request gets a ticket, with which a socket of the same browser connects once.
package final class TicketRequests: HTTPHandler {
    private unowned let server: HTTPServer
    private unowned let sessions: SessionLoop
    private let gate: RequestGate

    package init(server: HTTPServer, sessions: SessionLoop, gate: RequestGate) {
        self.server = server
        self.sessions = sessions
        self.gate = gate
    }

    package func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        let admission: RequestGate.Admission
        switch gate.judge(request, .post) {
        case .answered(let response): return .now(response)
        case .admitted(let admitted): admission = admitted
        }
        let headers = admission.headers
        guard let credential = admission.credential else {
            let message = "a ticket is for the user of the request: send an Authorization header, or come through the gateway"
            return .now(RequestGate.refusal(401, "invalid_token", message, headers))
        }
        sessions.issueTicket(for: credential) { [unowned server] outcome in
            switch outcome {
            case .refused(let code, let reason):
                server.respond(id, RequestGate.refusal(code.status, code.rawValue, reason, headers))
            case .issued(let ticket, let life):
                var object = JSONObject()
                object["ticket"] = .string(ticket)
                object["expiresInMs"] = .number(JSONNumber(life.wholeMilliseconds))
                server.respond(
                    id, RequestGate.answer(200, "application/json", Array((JSONValue.object(object).text + "\n").utf8), headers))
            }
        }
        return .later
    }

    package func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { gate.response(to: request, reason) }
    package func drained(_ id: ConnectionID) {}
    package func peerEnded(_ id: ConnectionID) {}
    package func deadline(_ id: ConnectionID) {}
    package func closed(_ id: ConnectionID) {}
}
