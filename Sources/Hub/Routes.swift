import HTTP
import Messaging
import Sessions
import Transports

/// The hub's plain HTTP endpoints. They run on the event loops, so they must not block and answer only from memory.
/// `LoopParts` adds the paths of the transports, such as `/v1/events`.
final class HubRoutes: HTTPRoutes {
    private enum Route {
        case page(StaticPage)
        case alive, ready, metrics
        case demoToken, demoPublish
    }

    private let router: HTTPRouter<Route>
    private let health: Health
    private let metrics: (@Sendable () -> String)?
    private let demo: (any DemoServices)?

    /// - Parameters:
    ///   - metrics: nil when they have a listener of their own.
    ///   - demo: nil in production.
    init(health: Health, metrics: (@Sendable () -> String)?, demo: (any DemoServices)?) {
        self.health = health
        self.metrics = metrics
        self.demo = demo
        var routes: [(HTTPMethod, String, Route)] = [(.get, "/livez", .alive), (.get, "/readyz", .ready)]
        if metrics != nil { routes.append((.get, "/metrics", .metrics)) }
        if demo != nil {
            routes.append((.get, "/demo/token", .demoToken))
            routes.append((.post, "/demo/publish", .demoPublish))
            for page in StaticPage.all { routes.append((.get, page.path, .page(page))) }
        }
        router = HTTPRouter(routes)
    }

    func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse {
        switch router.match(request) {
        case .found(let route): answer(route, request, body)
        case .methodNotAllowed(let allowed): HTTPResponse.methodNotAllowed(allowed)
        case .notFound: HTTPResponse(status: 404, text: "nothing here; the socket is at /v1/socket")
        }
    }

    private func answer(_ route: Route, _ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse {
        switch route {
        case .page(let page): page.response
        case .alive:
            health.lost.isEmpty
                ? HTTPResponse(status: 200, text: "alive")
                : HTTPResponse(status: 503, text: health.lost.map { "not alive: \($0)" }.joined(separator: "\n"))
        case .ready:
            switch health.readiness {
            case .ready(let missing):
                HTTPResponse(status: 200, text: (["ready"] + missing.map { "missing: \($0)" }).joined(separator: "\n"))
            case .notReady(let reasons): HTTPResponse(status: 503, text: reasons.map { "not ready: \($0)" }.joined(separator: "\n"))
            }
        case .metrics:
            HTTPResponse(
                status: 200, headers: HTTPHeaders([("content-type", "text/plain; version=0.0.4; charset=utf-8")]),
                body: Array((metrics?() ?? "").utf8))
        case .demoToken: demo(request) { $0.token(request) }
        case .demoPublish: demo(request) { $0.publish(body) }
        }
    }

    /// The demo signs tokens without authentication, so pages of other sites must not reach it. It refuses cross-origin requests, and
    /// foreign host names, because DNS rebinding could let such a name point to this machine.
    private func demo(_ request: HTTPRequest, _ answer: (any DemoServices) -> HTTPResponse) -> HTTPResponse {
        guard let demo else { return HTTPResponse(status: 404, text: "not here") }
        let origin = request.headers.first("origin")
        guard request.isToLoopback, origin == nil || origin == "http://" + request.host else {
            return HTTPResponse(status: 403, text: "only for the page at this machine's own address")
        }
        return answer(demo)
    }
}

/// The services for the demo page, available only in embedded mode.
protocol DemoServices: AnyObject, Sendable {
    /// `GET /demo/token?subject=alice` → `{"token":"…"}`.
    func token(_ request: HTTPRequest) -> HTTPResponse
    /// `POST /demo/publish` with the hub's own JSON record → 202 when the Kafka client has accepted the record.
    func publish(_ body: [UInt8]) -> HTTPResponse
}
