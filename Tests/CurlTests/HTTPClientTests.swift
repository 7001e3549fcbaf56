import Foundation
import HangGuard
import Testing

@testable import Curl

/// Against a real server of bad manners.
@Suite("The HTTP client", .guarded)
struct HTTPClientTests {
    let server: RudeServer
    let client: HTTPClient

    init() throws {
        server = try RudeServer.shared.get()
        client = try HTTPClient(limits: Self.limits { _ in })
    }

    static func limits(_ change: (inout FetchLimits) -> Void) -> FetchLimits {
        var limits = FetchLimits()
        // Nobody waits for it, and a machine that compiles beside the tests is slow.
        limits.connectTimeout = .seconds(60)
        limits.totalTimeout = .seconds(60)
        limits.maximumBodyBytes = 10_000
        change(&limits)
        return limits
    }

    func failure(_ path: String, _ client: HTTPClient? = nil) -> FetchFailure? {
        do {
            _ = try (client ?? self.client).fetch(server.http + path)
            return nil
        } catch {
            return error
        }
    }

    @Test("fetches a document and reads its Cache-Control")
    func fetches() throws {
        let document = try client.fetch(server.http + "/keys?cache=public,%20max-age=300")
        #expect(document == FetchedDocument(status: 200, maximumAge: .seconds(300), body: Array(#"{"keys":[]}"#.utf8)))
        #expect(try client.fetch(server.http + "/keys").maximumAge == nil)
        #expect(try client.fetch(server.http + "/keys?cache=no-store").maximumAge == .zero)
    }

    @Test("sends User-Agent and Accept")
    func requestHeaders() throws {
        #expect(try client.fetch(server.http + "/echo").body == Array("application/json|hub".utf8))
        #expect(try client.fetch(server.http + "/echo", accept: "text/plain").body == Array("text/plain|hub".utf8))
    }

    @Test("returns any status", arguments: [404, 500, 503, 429])
    func status(code: Int) throws {
        let document = try client.fetch(server.http + "/status?code=\(code)")
        #expect(document.status == code)
        #expect(document.body == Array("sorry".utf8))
    }

    @Test("accepts a body up to the limit, with and without Content-Length")
    func bodyLimit() throws {
        #expect(try client.fetch(server.http + "/bytes?count=10000").body.count == 10_000)
        #expect(failure("/bytes?count=10001") == .tooLarge)
        #expect(failure("/claims") == .tooLarge)
        #expect(failure("/endless") == .tooLarge)
        #expect(try client.fetch(server.http + "/bytes?count=0").body.isEmpty)
    }

    @Test("gives up on a server that hangs or sends too slowly")
    func timeouts() throws {
        let impatient = try HTTPClient(limits: Self.limits { $0.totalTimeout = .milliseconds(300) })
        #expect(failure("/hang", impatient) == .timedOut)
        #expect(failure("/drip", impatient) == .timedOut)
    }

    @Test("works again after any failure")
    func recovers() throws {
        #expect(failure("/endless") == .tooLarge)
        #expect(try client.fetch(server.http + "/keys").status == 200)
        #expect(failure("/cut") != nil)
        #expect(try client.fetch(server.http + "/keys").status == 200)
    }

    @Test("refuses a truncated body and an answer that is not HTTP", arguments: ["/cut", "/garbage"])
    func broken(path: String) {
        guard case .failed? = failure(path) else {
            Issue.record("\(String(describing: failure(path)))")
            return
        }
    }

    @Test("follows a few redirects, and uses the last answer's Cache-Control")
    func redirects() throws {
        let document = try client.fetch(server.http + "/redirect?to=/keys")
        #expect(document.status == 200)
        #expect(document.maximumAge == nil)
        #expect(failure("/loop") == .tooManyRedirects)
    }

    @Test(
        "follows no redirect to another scheme",
        arguments: [
            "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/", "dict://127.0.0.1:11211/stats", "data:,x",
            "FILE:///etc/passwd",
        ])
    func redirectSchemes(target: String) {
        #expect(failure("/redirect?to=\(target)") == .schemeNotAllowed)
    }

    @Test(
        "fetches only what begins with http:// or https://",
        arguments: [
            "file:///etc/passwd", "/etc/passwd", "", "localhost", "ftp://127.0.0.1/", "HTTP://127.0.0.1", " http://127.0.0.1",
            "javascript:0",
        ])
    func schemes(url: String) {
        #expect(throws: FetchFailure.schemeNotAllowed) { try client.fetch(url) }
    }

    @Test(
        "refuses an invalid URL",
        arguments: ["http://", "http://[::1", "http://127.0.0.1:99999/", "https:///x", "http://a b/", "http://a\u{0}b/"])
    func badURLs(url: String) {
        #expect(throws: FetchFailure.self) { try client.fetch(url) }
    }

    @Test("refuses plain HTTP where it is not allowed")
    func httpsOnly() throws {
        let strict = try HTTPClient(limits: Self.limits { $0.allowsPlainHTTP = false })
        #expect(failure("/keys", strict) == .schemeNotAllowed)
        let careful = try HTTPClient(limits: Self.limits { $0.followsToPlainHTTP = false })
        #expect(failure("/keys", careful) == nil)
        #expect(failure("/redirect?to=/keys", careful) == .schemeNotAllowed)
    }

    @Test("leaves https for nothing else, also where plain HTTP is allowed")
    func noDowngrade() throws {
        let trusting = try HTTPClient(limits: Self.limits { _ in }, trusting: server.certificate)
        #expect(try trusting.fetch(server.https + "/keys").status == 200)
        #expect(try trusting.fetch(server.https + "/redirect?to=\(server.https)/keys").body == Array(#"{"keys":[]}"#.utf8))
        #expect(throws: FetchFailure.schemeNotAllowed) { try trusting.fetch(server.https + "/redirect?to=\(server.http)/keys") }
        // The other way is no loss, where it is allowed at all.
        #expect(try trusting.fetch(server.http + "/redirect?to=\(server.https)/keys").status == 200)
    }

    @Test("refuses a certificate of an unknown issuer")
    func untrusted() {
        do {
            _ = try client.fetch(server.https + "/keys")
            Issue.record("fetched")
        } catch {
            guard case .untrusted = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("reports a refused connection")
    func refused() throws {
        let address = server.http
        // 1 is reserved (tcpmux) and closed.
        #expect(throws: FetchFailure.self) { try client.fetch("http://127.0.0.1:1/keys") }
        #expect(try client.fetch(address + "/keys").status == 200)
    }
}

@Suite("Cache-Control (RFC 9111 §5.2)", .guarded)
struct CacheControlTests {
    static let lines: [(String, Duration?)] = [
        ("Cache-Control: max-age=60", .seconds(60)), ("cache-control:MAX-AGE=60\r\n", .seconds(60)),
        ("Cache-Control: public, max-age=60 , must-revalidate", .seconds(60)), ("Cache-Control: max-age=\"60\"", .seconds(60)),
        ("Cache-Control: no-cache", .zero), ("Cache-Control: no-store, max-age=60", .zero), ("Cache-Control: max-age=60, no-cache", .zero),
        ("Cache-Control: max-age=60, max-age=30", .seconds(30)), ("Cache-Control: max-age=0", .zero), ("Cache-Control: max-age=-1", nil),
        ("Cache-Control: max-age=", nil), ("Cache-Control: max-age", nil), ("Cache-Control: max-age=1.5", nil),
        ("Cache-Control: max-age=x", nil),
        ("Cache-Control: max-age=99999999999999999999", .seconds(2_147_483_648)), ("Cache-Control:", nil), ("Cache-Control", nil),
        ("X-Cache-Control: max-age=60", nil), ("Age: 60", nil), ("", nil), ("Cache-Control: s-maxage=60", nil),
        ("Cache-Control: ,,,=,", nil),
    ]

    @Test("gives the time for which an answer may be cached", arguments: lines)
    func line(text: String, expected: Duration?) {
        var control = CacheControl()
        control.read(headerLine: text)
        #expect(control.maximumAge == expected)
    }
}
