import Auth
import HTTP
import JSON
import Messaging
import Reactor
package import Sessions
package import WSProtocol

/// Judges the requests of the fallback transports: origin, token, and which session they name.
package final class RequestGate {
    /// A request that may go on.
    struct Admission {
        enum Target {
            case session(SessionID)
            /// The request names no session and opens one.
            case new
            /// The request names a session that this hub does not have, and has a token of its own: it is answered without that session.
            case withoutSession
            /// The session has ended, and its client has not been told why. `takeBye` gives the frame that says so.
            case ended(credential: String)
            /// The session is another loop's.
            case elsewhere(loop: Int)
        }
        let target: Target
        /// What the request's header fields prove who the user is with.
        let credential: Credential?
        let query: HTTPQuery
        /// A browser sent it.
        let isBrowser: Bool
        /// For every answer to it.
        let headers: [(String, String)]
    }

    enum Judgement {
        case admitted(Admission)
        case answered(HTTPResponse)
    }

    private unowned let sessions: SessionLoop
    private let policy: HandshakePolicy
    private let loop: Int
    private let loops: Int
    private let mostSessions: Int
    private let ends: RecentEnds
    private let origins: OriginReport

    /// - Parameters:
    ///   - ends: of this loop's sessions.
    ///   - origins: is told the requests that are refused because of their page.
    ///   - policy: whose origins may send requests.
    ///   - loop: the number of the loop that judges, of so many `loops`.
    ///   - mostSessions: of this loop that are reached by HTTP requests; beyond it no other is opened (503).
    package init(
        sessions: SessionLoop, policy: HandshakePolicy, loop: Int, loops: Int, mostSessions: Int, ends: RecentEnds, origins: OriginReport
    ) {
        self.sessions = sessions
        self.policy = policy
        self.loop = loop
        self.loops = loops
        self.mostSessions = mostSessions
        self.ends = ends
        self.origins = origins
    }

    /// The CORS fields for the answers to a request; nil: its page may not use the hub.
    func corsHeaders(_ request: HTTPRequest) -> [(String, String)]? {
        switch ServerHandshake.origin(of: request, policy) {
        case .absent, .sameHost: []
        case .allowed(let origin):
            [("access-control-allow-origin", origin), ("vary", "Origin"), ("access-control-expose-headers", "Retry-After")]
        case .duplicate, .forbidden: nil
        }
    }

    /// - Parameter reopens: a request with a token whose session is not here opens another one. Otherwise it is answered without one.
    func judge(_ request: HTTPRequest, _ method: HTTPMethod, reopens: Bool = false) -> Judgement {
        guard let cors = corsHeaders(request) else {
            origins.refused(request)
            return .answered(
                Self.refusal(403, "forbidden", "pages of this origin may not use the hub; the setting is websocket.origins", []))
        }
        if request.method == .options { return .answered(Self.preflight(method, cors)) }
        guard request.method == method || request.method == .head && method == .get else {
            var response = Self.refusal(405, "bad_request", "\(request.path) takes \(method.rawValue)", cors)
            response.headers.append("allow", "\(method.rawValue), OPTIONS")
            return .answered(response)
        }
        if let refusal = RequestToken.refusal(of: request, repeatable: ["channel"]) {
            return .answered(Self.refusal(400, refusal.code, refusal.message, cors))
        }
        guard let query = try? HTTPQuery(request.query, repeatable: ["channel"], isForm: true) else {
            return .answered(Self.refusal(400, "bad_request", "the query cannot be read", cors))
        }
        let shown = RequestToken.credential(of: request, takesContexts: sessions.takesContexts)
        let isBrowser = request.headers.count(of: "origin") > 0
        func admitted(_ target: Admission.Target) -> Judgement {
            .admitted(Admission(target: target, credential: shown, query: query, isBrowser: isBrowser, headers: cors))
        }
        let text = request.headers.first("hub-session") ?? query["session"]
        let credential = text.flatMap { SessionCredential($0) }.flatMap { Int($0.loop) < loops ? $0 : nil }
        if let credential, Int(credential.loop) != loop { return admitted(.elsewhere(loop: Int(credential.loop))) }
        guard let session = credential.flatMap({ sessions.session($0) }) else {
            if let text, ends.has(text) { return admitted(.ended(credential: text)) }
            if sessions.drainSpread != nil { return .answered(Self.draining(cors)) }
            guard text == nil || shown != nil else { return .answered(Self.unknownSession(cors)) }
            guard sessions.resumableCount < mostSessions else {
                return .answered(Self.refusal(503, "unavailable", "this hub has as many sessions as it may have", cors))
            }
            return admitted(text == nil || reopens ? .new : .withoutSession)
        }
        if let shown, let refusal = refusal(of: shown, for: session, cors) { return .answered(refusal) }
        return admitted(.session(session))
    }

    /// The `bye` of an ended session. It is told once, so only an answer that carries it may take it.
    func takeBye(_ credential: String) -> [UInt8] { ends.take(credential) ?? [] }

    /// A session works for its own user only: a token in the request must be valid and of that user.
    private func refusal(of credential: Credential, for session: SessionID, _ cors: [(String, String)]) -> HTTPResponse? {
        switch sessions.isCredential(credential, of: session) {
        case .success(true): nil
        case .success(false): Self.refusal(403, "subject_changed", "token: belongs to another user than this session", cors)
        case .failure(.expired): Self.refusal(401, "token_expired", "token: expired", cors)
        case .failure(.revoked):
            Self.refusal(401, "token_revoked", "token: issued before the end of its login, or a change of rights", cors)
        case .failure(let rejection): Self.refusal(401, "invalid_token", "token: \(rejection.name)", cors)
        case nil: Self.refusal(503, "unavailable", "token: its key is not known yet; the keys are being fetched", cors)
        }
    }

    /// CORS: what a browser asks before it sends a request with these fields (Fetch standard, "CORS protocol").
    static func preflight(_ method: HTTPMethod, _ cors: [(String, String)]) -> HTTPResponse {
        var headers = HTTPHeaders(cors)
        headers.append("allow", "\(method.rawValue), OPTIONS")
        if !cors.isEmpty {
            headers.append("access-control-allow-methods", method.rawValue)
            headers.append("access-control-allow-headers", "Authorization, Content-Type, Hub-Session, Last-Event-ID")
            headers.append("access-control-max-age", "600")
        }
        return HTTPResponse(status: 204, headers: headers)
    }

    // MARK: Answers

    static func unknownSession(_ headers: [(String, String)]) -> HTTPResponse {
        refusal(404, "session_unknown", "no such session: it has ended, or never was; open another one at your positions", headers)
    }

    func response(to request: HTTPRequest, _ reason: HTTPRefusal) -> HTTPResponse {
        let headers = corsHeaders(request) ?? []
        return switch reason {
        case .bodyTooLarge(let most): Self.refusal(413, "too_large", "the body has more than \(most) bytes", headers)
        case .tooManyOfAddress:
            Self.refusal(429, "limit_exceeded", "your address has as many connections as it may; close another one first", headers)
        case .busy: Self.refusal(503, "unavailable", "the session's event loop takes no connection now", headers)
        }
    }

    /// A session could not be opened: the refusal is the error in the reply to `connect`.
    static func refusal(_ status: Int, replies: [UInt8], _ headers: [(String, String)]) -> HTTPResponse {
        let line = replies.firstIndex(of: UInt8(ascii: "\n")).map { Array(replies[..<$0]) } ?? replies
        guard let error = (try? JSONValue.parse(line))?["error"] else {
            let code = status == 503 ? "unavailable" : "internal"
            return refusal(status, code, "the session ended before it was open", headers)
        }
        var response = json(status, Array(error.text.utf8), wrapped: "error", headers)
        if status == 503 { response.headers.append("retry-after", "1") }
        return response
    }

    static func draining(_ headers: [(String, String)]) -> HTTPResponse {
        refusal(503, "unavailable", "this hub is being stopped; another one, or the same one, takes over", headers)
    }

    /// `{"error":{"code","message","temporary"}}`, as in a reply to a command.
    static func refusal(_ status: Int, _ code: String, _ message: String, _ headers: [(String, String)]) -> HTTPResponse {
        let isTemporary = status == 503
        var fields: [(String, JSONValue)] = [
            ("code", .string(code)), ("message", .string(message)), ("temporary", .bool(isTemporary)),
        ]
        if isTemporary { fields.append(("retryAfterMs", 1_000)) }
        var error = JSONObject()
        for (name, value) in fields { error[name] = value }
        var response = json(status, Array(JSONValue.object(error).text.utf8), wrapped: "error", headers)
        if isTemporary { response.headers.append("retry-after", "1") }
        return response
    }

    private static func json(_ status: Int, _ text: [UInt8], wrapped name: String, _ headers: [(String, String)]) -> HTTPResponse {
        answer(status, "application/json", Array("{\"\(name)\":".utf8) + text + Array("}\n".utf8), headers)
    }

    static func answer(_ status: Int, _ type: String, _ body: [UInt8], _ headers: [(String, String)]) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: HTTPHeaders([("content-type", type), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")] + headers),
            body: body)
    }
}
