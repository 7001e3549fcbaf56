package import HTTP
import JSON
import Messaging
package import Reactor
package import Sessions

/// What an identity provider tells the hub: `POST /v1/logout` (OpenID Connect Back-Channel Logout 1.0 §2.5) and `POST /v1/security-events`
/// (RFC 8935). Its token's signature is the only proof; the answer follows when the end of the login is stored.
package final class SecurityEventRequests: HTTPHandler {
    private unowned let server: HTTPServer
    private unowned let sessions: SessionLoop
    private let kind: NoticeKind
    private let mostBytes: Int

    /// - Parameter mostBytes: the longest token.
    package init(server: HTTPServer, sessions: SessionLoop, kind: NoticeKind, mostBytes: Int) {
        self.server = server
        self.sessions = sessions
        self.kind = kind
        self.mostBytes = mostBytes
    }

    package func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        guard request.method == .post else { return .now(HTTPResponse.methodNotAllowed([.post])) }
        let token: [UInt8]
        switch read(request, body) {
        case .failure(let fault): return .now(refusal(400, fault.message))
        case .success(let found): token = found
        }
        guard token.count <= mostBytes else { return .now(refusal(400, "the token has more than \(mostBytes) bytes")) }
        sessions.fence(token, kind) { [unowned server, kind] outcome in
            switch outcome {
            case .fenced: server.respond(id, Self.answer(kind == .logout ? 200 : 202, nil))
            case .refused(let code, let reason):
                var response = Self.answer(code == .unavailable || code == .internal ? 503 : 400, Self.fault(kind, reason))
                if code == .unavailable { response.headers.append("retry-after", "5") }
                server.respond(id, response)
            }
        }
        return .later
    }

    private struct Fault: Error { let message: String }

    private func read(_ request: HTTPRequest, _ body: [UInt8]) -> Result<[UInt8], Fault> {
        let type = String((request.headers.first("content-type") ?? "").prefix { $0 != ";" && $0 != " " }).lowercasedASCII
        switch kind {
        case .securityEvent:
            guard type == "application/secevent+jwt" else {
                return .failure(Fault(message: "the body must be a token of the type application/secevent+jwt"))
            }
            return .success(body)
        case .logout:
            guard type == "application/x-www-form-urlencoded",
                let form = try? HTTPQuery(String(decoding: body, as: UTF8.self), isForm: true),
                let token = form["logout_token"]
            else { return .failure(Fault(message: "the body must be a form with one logout_token")) }
            return .success(Array(token.utf8))
        }
    }

    private func refusal(_ status: Int, _ message: String) -> HTTPResponse { Self.answer(status, Self.fault(kind, message)) }

    /// The members of each standard: `error` (OpenID Connect), `err` (RFC 8935 §2.3).
    private static func fault(_ kind: NoticeKind, _ message: String) -> JSONObject {
        var object = JSONObject()
        switch kind {
        case .logout:
            object["error"] = "invalid_request"
            object["error_description"] = .string(message)
        case .securityEvent:
            object["err"] = "invalid_request"
            object["description"] = .string(message)
        }
        return object
    }

    private static func answer(_ status: Int, _ body: JSONObject?) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: HTTPHeaders([
                ("content-type", "application/json"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
            ]),
            body: body.map { Array(JSONValue.object($0).text.utf8) } ?? [])
    }

    package func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse {
        switch reason {
        case .bodyTooLarge: refusal(400, "the body is too large")
        case .busy, .tooManyOfAddress: refusal(503, "the hub takes no request of this address now")
        }
    }
    package func drained(_ id: ConnectionID) {}
    package func peerEnded(_ id: ConnectionID) {}
    package func deadline(_ id: ConnectionID) {}
    package func closed(_ id: ConnectionID) {}
}
