import HTTP
import HangGuard
import Linux
import Testing

@testable import Hub

@Suite("The hub's plain HTTP endpoints", .guarded)
struct RoutesTests {
    /// Signs and publishes nothing, and counts.
    private final class Counted: DemoServices {
        let asked = Locked(0)
        func token(_ request: HTTPRequest) -> HTTPResponse { count() }
        func publish(_ body: [UInt8]) -> HTTPResponse { count() }
        private func count() -> HTTPResponse {
            asked.withLock { $0 += 1 }
            return HTTPResponse(status: 200)
        }
    }

    private static let demoRequests = ["GET /demo/token?subject=alice", "POST /demo/publish"]

    private let demo = Counted()
    private let health = Health()

    private func status(_ routes: HubRoutes, _ line: String, host: String = "127.0.0.1:8080", origin: String? = nil) throws -> Int {
        let head = "\(line) HTTP/1.1\r\nHost: \(host)\r\n" + (origin.map { "Origin: \($0)\r\n" } ?? "") + "\r\n"
        return try routes.answer(#require(request(head)), []).status
    }

    private var demoRoutes: HubRoutes { HubRoutes(health: health, metrics: { "" }, demo: demo) }

    @Test(
        "the demo is there for a page at a loopback address", arguments: demoRequests, ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
    func demoAtHome(line: String, host: String) throws {
        #expect(try status(demoRoutes, line, host: host) == 200)
        #expect(try status(demoRoutes, line, host: host, origin: "http://\(host)") == 200)
        #expect(demo.asked.withLock { $0 } == 2)
    }

    @Test(
        "a name that points to this machine does not reach the demo, with and without an origin", arguments: demoRequests,
        ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1:8080", "localhost.evil.example"])
    func otherHosts(line: String, host: String) throws {
        #expect(try status(demoRoutes, line, host: host) == 403)
        #expect(try status(demoRoutes, line, host: host, origin: "http://\(host)") == 403)
        #expect(demo.asked.withLock { $0 } == 0)
    }

    @Test(
        "pages of other sites do not reach the demo", arguments: demoRequests,
        ["https://evil.example", "http://127.0.0.1", "http://127.0.0.1:8081", "https://127.0.0.1:8080", "null", ""])
    func otherOrigins(line: String, origin: String) throws {
        #expect(try status(demoRoutes, line, origin: origin) == 403)
        #expect(demo.asked.withLock { $0 } == 0)
    }

    @Test("in production there is neither a demo nor a page of it")
    func production() throws {
        let routes = HubRoutes(health: health, metrics: { "" }, demo: nil)
        for line in Self.demoRequests { #expect(try status(routes, line) == 404) }
        #expect(StaticPage.all.count > 5)
        for page in StaticPage.all {
            #expect(try status(routes, "GET \(page.path)") == 404, "\(page.path)")
            #expect(try status(demoRoutes, "GET \(page.path)") == 200, "\(page.path)")
        }
    }

    @Test("/metrics is not answered where it has a listener elsewhere")
    func metrics() throws {
        #expect(try status(HubRoutes(health: health, metrics: { "" }, demo: nil), "GET /metrics") == 200)
        #expect(try status(HubRoutes(health: health, metrics: nil, demo: nil), "GET /metrics") == 404)
        #expect(try status(HubRoutes(health: health, metrics: nil, demo: nil), "GET /livez") == 200)
    }

    @Test("each part that clients need makes the hub unready when it is missing, and is named", arguments: Health.Part.allCases)
    func readiness(part: Health.Part) throws {
        let routes = HubRoutes(health: health, metrics: nil, demo: nil)
        let isUp = Locked(true)
        for other in Health.Part.allCases { health.watch(other) { other != part || isUp.withLock { $0 } } }
        #expect(try status(routes, "GET /readyz") == 200)
        isUp.withLock { $0 = false }
        let answer = try routes.answer(#require(request("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")), [])
        #expect(answer.status == ([.store, .keys, .accepting].contains(part) ? 503 : 200))
        #expect(String(decoding: answer.body, as: UTF8.self).contains(part.reason))
    }
}
