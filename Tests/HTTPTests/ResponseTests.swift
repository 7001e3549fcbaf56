import HTTP
import HangGuard
import Testing

func written(_ response: HTTPResponse, keepAlive: Bool = true, headOnly: Bool = false, date: HTTPDate? = nil) -> String {
    var bytes: [UInt8] = []
    response.serialize(into: &bytes, keepAlive ? .keep : .close, headOnly: headOnly, date: date)
    return String(decoding: bytes, as: UTF8.self)
}

@Suite("RFC 9112 §4, §6: responses", .guarded)
struct ResponseTests {
    @Test func aResponseHasItsLength() {
        #expect(
            written(HTTPResponse(status: 200, text: "hé"))
                == "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n\r\nhé\n")
    }

    @Test func theLastResponseSaysClose() {
        #expect(
            written(HTTPResponse(status: 404), keepAlive: false)
                == "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    }

    @Test func aHeadResponseHasTheLengthAndNoBody() {
        #expect(written(HTTPResponse(status: 200, body: [1, 2, 3]), headOnly: true) == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
    }

    @Test func noContentHasNoLength() {
        #expect(written(HTTPResponse(status: 204)) == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test func aLineBreakInAValueCannotSplitTheResponse() {
        let response = HTTPResponse(status: 200, headers: HTTPHeaders([("x", "a\r\nset-cookie: b\0")]))
        #expect(written(response).contains("x: a  set-cookie: b \r\n"))
    }

    @Test(arguments: [
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"), (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func datesAreWritten(seconds: Int64, text: String) {
        #expect(HTTPDate(seconds: seconds).text == text)
    }

    @Test func theHeadHasADate() {
        #expect(
            written(HTTPResponse(status: 204), date: HTTPDate(seconds: 0))
                == "HTTP/1.1 204 No Content\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
    }
}

@Suite("RFC 9112 §4: response heads, as a client reads them", .guarded)
struct ResponseHeadTests {
    func parse(_ text: String) -> HTTPResponseParseResult {
        let bytes = Array(text.utf8)
        var parser = HTTPResponseParser()
        let whole = parser.parse(bytes.span)
        var result = HTTPResponseParseResult.incomplete
        for end in 0...bytes.count where result == .incomplete { result = parser.parse(bytes.span.extracting(0..<end)) }
        #expect(result == whole)
        return whole
    }

    @Test func aHeadIsRead() {
        let text = "HTTP/1.1 200 All is well\r\nContent-Length: 7\r\nX: y\r\n\r\n"
        let head = HTTPResponseHead(status: 200, headers: HTTPHeaders([("content-length", "7"), ("x", "y")]), contentLength: 7)
        #expect(parse(text) == .response(head, headBytes: text.utf8.count))
        #expect(
            parse("HTTP/1.0 404\r\n\r\n")
                == .response(HTTPResponseHead(status: 404, headers: HTTPHeaders(), contentLength: nil), headBytes: 16))
    }

    @Test(arguments: [
        "HTTP/1.1\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n", "HTTP/2 200 x\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "x\r\n\r\n",
        "HTTP/1.1 200 x\n\n", "HTTP/1.1 200 x\r\nA : b\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    ])
    func oddHeadsAreRefused(text: String) {
        #expect(parse(text) == .malformed)
    }
}

@Suite("Routes", .guarded)
struct RouterTests {
    enum Route: Equatable { case socket, poll, command }
    let router = HTTPRouter<Route>([(.get, "/v1/socket", .socket), (.get, "/v1/poll", .poll), (.post, "/v1/poll", .command)])

    func match(_ method: HTTPMethod, _ path: String) -> HTTPRouter<Route>.Match {
        router.match(HTTPRequest(method: method, target: path, path: path, host: "h", headers: HTTPHeaders()))
    }

    @Test func methodAndPathFindTheirRoute() {
        #expect(match(.get, "/v1/poll") == .found(.poll))
        #expect(match(.post, "/v1/poll") == .found(.command))
    }

    @Test func headIsAnsweredLikeGet() {
        #expect(match(.head, "/v1/socket") == .found(.socket))
    }

    @Test func anotherMethodIsToldWhatIsAllowed() {
        #expect(match(.delete, "/v1/poll") == .methodNotAllowed(allowed: [.get, .post, .head]))
    }

    @Test(arguments: ["/", "/v1/socket/", "/v1/Socket", "/v1/%73ocket", "//v1/socket"])
    func otherPathsAreNotFound(path: String) {
        #expect(match(.get, path) == .notFound)
    }
}

@Suite("RFC 3986: queries", .guarded)
struct QueryTests {
    @Test func parametersAreDecoded() throws {
        let query = try HTTPQuery("a=1&b=%C3%A9%20x&c&d=&e=f=g+h&&")
        #expect(query["a"] == "1")
        #expect(query["b"] == "é x")
        #expect(query["c"] == "")
        #expect(query["d"] == "")
        #expect(query["e"] == "f=g+h")
        #expect(query["z"] == nil)
        #expect(try HTTPQuery(nil).parameters.isEmpty)
    }

    @Test(arguments: [
        ("a=%", HTTPQuery.Failure.brokenEscape), ("a=%4", .brokenEscape), ("%g0=1", .brokenEscape), ("a=%FF", .notUTF8),
        ("a=%C3", .notUTF8), ("a=%ED%A0%80", .notUTF8), ("a=1&a=2", .repeated("a")), ("a=1&%61=2", .repeated("a")),
        (String(repeating: "x&", count: 1) + (0..<65).map { "p\($0)=1" }.joined(separator: "&"), .tooMany),
    ])
    func oddQueriesAreRefused(query: String, why: HTTPQuery.Failure) {
        #expect(throws: why) { try HTTPQuery(query) }
    }
}
