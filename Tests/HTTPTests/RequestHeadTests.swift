import HTTP
import HangGuard
import Testing

/// Parses `text` whole, byte by byte and cut everywhere, with and without bytes behind it, and returns the one result.
func parse(_ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation) -> HTTPParseResult {
    parse(Array(text.utf8), limits: limits, sourceLocation: sourceLocation)
}

func parse(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation) -> HTTPParseResult {
    var parser = HTTPRequestParser(limits: limits)
    let whole = parser.parse(bytes.span)

    func inPieces(endingAt ends: some Sequence<Int>) -> HTTPParseResult {
        var parser = HTTPRequestParser(limits: limits)
        for end in ends {
            let result = parser.parse(bytes.span.extracting(0..<end))
            if result != .incomplete { return result }
        }
        return .incomplete
    }
    #expect(inPieces(endingAt: 0...bytes.count) == whole, "byte by byte", sourceLocation: sourceLocation)
    for cut in bytes.indices where bytes.count < 600 || cut % 97 == 0 {
        let parts = inPieces(endingAt: [cut, bytes.count])
        if parts != whole { #expect(parts == whole, "cut at \(cut)", sourceLocation: sourceLocation) }
    }
    if case .request = whole {
        var parser = HTTPRequestParser(limits: limits)
        let trailing = bytes + Array("GET / HTTP".utf8)
        #expect(parser.parse(trailing.span) == whole, "with trailing bytes", sourceLocation: sourceLocation)
    }
    return whole
}

func request(_ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation) throws -> HTTPRequest {
    let result = parse(text, limits: limits, sourceLocation: sourceLocation)
    guard case .request(let request, let headBytes) = result else {
        Issue.record("\(result)", sourceLocation: sourceLocation)
        throw Missing()
    }
    #expect(headBytes == text.utf8.count, sourceLocation: sourceLocation)
    return request
}

struct Missing: Error {}

@Suite("RFC 9112: request heads that are accepted", .guarded)
struct RequestHeadTests {
    @Test func aFieldIsFoundByItsWholeName() throws {
        let got = try request("GET / HTTP/1.1\r\nHost: a\r\nX-Ab: 1\r\nX-A: 2\r\nX-Abc: 3\r\n\r\n")
        #expect(got.headers.first("x-a") == "2" && got.headers.all("x-ab") == ["1"])
        #expect(got.headers.count(of: "x-a") == 1 && got.headers.first("x-") == nil)
    }

    @Test func allPartsOfAGetAreParsed() throws {
        let got = try request("GET /v1/socket?a=1&b HTTP/1.1\r\nHost: Example.org:8080\r\nAccept:\t*/* \r\nX-Empty:\r\n\r\n")
        #expect(got.method == .get)
        #expect(got.target == "/v1/socket?a=1&b")
        #expect(got.path == "/v1/socket")
        #expect(got.query == "a=1&b")
        #expect(got.host == "example.org:8080")
        #expect(got.headers.first("accept") == "*/*")
        #expect(got.headers.first("x-empty") == "")
        #expect(got.contentLength == 0)
        #expect(got.keepAlive)
        #expect(!got.isUpgrade)
    }

    @Test(arguments: [
        ("/", "/", nil), ("/a/b", "/a/b", nil), ("/?", "/", ""), ("/a?b?c", "/a", "b?c"), ("/%41%7e", "/%41%7e", nil),
        ("http://h/x?y", "/x", "y"), ("HTTP://H", "/", nil), ("http://h?q", "/", "q"), ("//double", "//double", nil),
    ])
    func targetsAreTakenApart(target: String, path: String, query: String?) throws {
        let got = try request("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(got.path == path)
        #expect(got.query == query)
    }

    @Test func onlyOptionsMayHaveAnAsteriskTarget() throws {
        #expect(try request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path == "*")
        #expect(parse("GET * HTTP/1.1\r\nHost: h\r\n\r\n") == .rejected(.malformedTarget))
    }

    @Test(arguments: ["h", "h:80", "h:", "127.0.0.1:8080", "[::1]", "[::1]:443", "xn--bcher-kva.example", "a_b.c"])
    func hostsAreAccepted(host: String) throws {
        #expect(try request("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").host == host)
    }

    @Test func oneEmptyLineBeforeARequestIsIgnored() throws {
        #expect(try request("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").path == "/")
        #expect(parse("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == .rejected(.malformedRequestLine))
    }

    @Test func listFieldsAreJoinedOverLinesAndComparedWithoutCase() throws {
        let got = try request(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive ,, x\r\nConnection:\tUpgrade\r\nUpgrade: websocket\r\n\r\n")
        #expect(got.headers.list("connection") == ["keep-alive", "x", "Upgrade"])
        #expect(got.headers.list("connection", contains: "upgrade"))
        #expect(got.isUpgrade)
        #expect(!got.headers.list("connection", contains: "up"))
    }

    @Test func textIsParsedByBytesAndNotByCharacters() throws {
        let got = try request("GET / HTTP/1.1\r\nHost: h\r\nX: \u{308}a,\u{308}b \r\nUpgrade: websoc\u{212A}et\r\n\r\n")
        #expect(got.headers.first("x").map { Array($0.unicodeScalars) } == ["\u{308}", "a", ",", "\u{308}", "b"])
        #expect(got.headers.list("x").count == 2)
        #expect(!got.headers.list("upgrade", contains: "websocket"))
        #expect(parse("GET / HTTP/1.1\r\nHost: \u{212A}\r\n\r\n") == .rejected(.malformedHost))
    }

    @Test(arguments: [("close", false), ("Close", false), ("keep-alive, close", false), ("keep-alive", true), ("closed", true)])
    func connectionsPersistUnlessClosed(value: String, keepAlive: Bool) throws {
        #expect(try request("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(value)\r\n\r\n").keepAlive == keepAlive)
    }

    @Test("A request of HTTP/1.0 may lack Host, and its connection persists only when it says so")
    func oldVersion() throws {
        let bare = try request("GET / HTTP/1.0\r\n\r\n")
        #expect(bare.host == "" && bare.minorVersion == 0 && !bare.keepAlive && !bare.takesChunks)
        let kept = try request("GET / HTTP/1.0\r\nHost: H\r\nConnection: Keep-Alive\r\n\r\n")
        #expect(kept.host == "h" && kept.keepAlive)
        let upgrade = try request("GET / HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        #expect(!upgrade.isUpgrade, "RFC 9110 §7.8: Upgrade of HTTP/1.0 is ignored")
        #expect(try request("GET / HTTP/1.2\r\nHost: h\r\n\r\n").keepAlive, "any minor version is answered")
    }

    @Test func aBodyFollowsTheHead() throws {
        let got = try request("POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 0012\r\nExpect: 100-Continue\r\n\r\n")
        #expect(got.contentLength == 12)
        #expect(got.expectsContinue)
    }

    @Test func bytesAboveASCIIAreOpaqueInValues() throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nX: é".utf8) + [0xFF] + Array("\r\n\r\n".utf8)
        guard case .request(let got, _) = parse(bytes) else { throw Missing() }
        #expect(got.headers.first("x") == "é\u{FFFD}")
    }

    @Test func pipelinedRequestsComeOneByOne() throws {
        let first = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
        let second = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
        let bytes = Array((first + second).utf8)
        var parser = HTTPRequestParser()
        guard case .request(let one, let headBytes) = parser.parse(bytes.span) else { throw Missing() }
        #expect(one.path == "/a")
        let next = headBytes + one.contentLength
        #expect(next == first.utf8.count)
        guard case .request(let two, let rest) = parser.parse(bytes.span.extracting(droppingFirst: next)) else { throw Missing() }
        #expect(two.path == "/b")
        #expect(next + rest == bytes.count)
    }
}

@Suite("RFC 9112: request heads that are refused", .guarded)
struct RefusedHeadTests {
    static let host = "Host: h\r\n"

    @Test(arguments: [
        ("GET / HTTP/1.1\nHost: h\n\n", HTTPRejection.bareLineFeed),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", .bareLineFeed),
        ("GET / HTTP/1.1\rHost: h\r\n\r\n", .bareCarriageReturn),
        ("GET / HTTP/1.1\r\nX: a\rb\r\nHost: h\r\n\r\n", .bareCarriageReturn),
        ("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", .bareCarriageReturn),
        ("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", .controlCharacter),
        ("GET / HTTP/1.1\r\nX: a\0b\r\nHost: h\r\n\r\n", .controlCharacter),
        ("GET / HTTP/1.1\r\nX: \u{7F}\r\nHost: h\r\n\r\n", .controlCharacter),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", .controlCharacter),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .malformedRequestLine),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET /\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET\r\n\r\n", .malformedRequestLine),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET /é HTTP/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET / http/1.1\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET / HTTP/1.x\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET / HTTP/11\r\nHost: h\r\n\r\n", .malformedRequestLine),
        ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n\r\n", .unsupportedVersion),
        ("get / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", .unknownMethod),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .methodNotAllowed),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", .methodNotAllowed),
        ("GET path HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /?a=% HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
        ("GET /<x> HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget),
    ])
    func requestLinesAreRefused(text: String, why: HTTPRejection) {
        #expect(parse(text) == .rejected(why))
    }

    @Test(arguments: [
        ("Host : h\r\n", HTTPRejection.malformedHeader),
        ("Host: h\r\nX y: z\r\n", .malformedHeader),
        ("Host: h\r\n: z\r\n", .malformedHeader),
        ("Host: h\r\nnothing\r\n", .malformedHeader),
        ("Host: h\r\nX\u{e9}: z\r\n", .malformedHeader),
        ("Host: h\r\nX: a\r\n b\r\n", .foldedHeader),
        ("Host: h\r\n\tb\r\n", .foldedHeader),
        (" X: a\r\nHost: h\r\n", .foldedHeader),
        ("", .missingHost),
        ("X: h\r\n", .missingHost),
        ("Host: h\r\nHost: h\r\n", .duplicateHost),
        ("Host: h\r\nhOST: i\r\n", .duplicateHost),
        ("Host:\r\n", .malformedHost),
        ("Host: a b\r\n", .malformedHost),
        ("Host: a, b\r\n", .malformedHost),
        ("Host: a/b\r\n", .malformedHost),
        ("Host: u@a\r\n", .malformedHost),
        ("Host: a:b\r\n", .malformedHost),
        ("Host: a:65536\r\n", .malformedHost),
        ("Host: a:1:2\r\n", .malformedHost),
        ("Host: [::1\r\n", .malformedHost),
        ("Host: []\r\n", .malformedHost),
        ("Host: [::1]x\r\n", .malformedHost),
        ("Host: h\r\nExpect: the-best\r\n", .unsupportedExpectation),
    ])
    func fieldsAreRefused(fields: String, why: HTTPRejection) {
        #expect(parse("GET / HTTP/1.1\r\n\(fields)\r\n") == .rejected(why))
    }

    @Test func anAbsoluteTargetMayNotContradictHost() {
        #expect(parse("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n") == .rejected(.malformedHost))
    }

    @Test(arguments: [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", HTTPRejection.duplicateContentLength),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", .duplicateContentLength),
        ("Content-Length: 5, 5\r\n", .malformedContentLength),
        ("Content-Length: +5\r\n", .malformedContentLength),
        ("Content-Length: -5\r\n", .malformedContentLength),
        ("Content-Length: 0x5\r\n", .malformedContentLength),
        ("Content-Length: 5 \t6\r\n", .malformedContentLength),
        ("Content-Length:\r\n", .malformedContentLength),
        ("Content-Length: 5.\r\n", .malformedContentLength),
        ("Content-Length: ٥\r\n", .malformedContentLength),
        ("Content-Length: 65537\r\n", .bodyTooLarge),
        ("Content-Length: 9223372036854775808\r\n", .bodyTooLarge),
        ("Content-Length: 99999999999999999999999\r\n", .bodyTooLarge),
        ("Transfer-Encoding: chunked\r\n", .transferEncoding),
        ("Transfer-Encoding: identity\r\n", .transferEncoding),
        ("Transfer-Encoding:\r\n", .transferEncoding),
        ("transfer-ENCODING: xchunked\r\nContent-Length: 5\r\n", .transferEncoding),
        ("Transfer-Encoding : chunked\r\n", .malformedHeader),
    ])
    func ambiguousLengthsAreRefused(fields: String, why: HTTPRejection) {
        #expect(parse("POST / HTTP/1.1\r\n\(Self.host)\(fields)\r\n") == .rejected(why))
    }

    @Test func limitsAreExact() {
        var limits = HTTPLimits()
        limits.requestLineBytes = 20
        limits.headBytes = 60
        limits.headerCount = 2
        limits.bodyBytes = 10
        let line20 = "GET /345678 HTTP/1.1"
        #expect(line20.utf8.count == 20)
        #expect(parse("\(line20)\r\nHost: h\r\n\r\n", limits: limits) != .rejected(.targetTooLong))
        #expect(parse("GET /3456789 HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits) == .rejected(.targetTooLong))
        #expect(parse("GET /345678901234567890123456789", limits: limits) == .rejected(.targetTooLong))
        let to60 = "\(line20)\r\nHost: h\r\nX: " + String(repeating: "x", count: 60 - 22 - 9 - 3 - 4) + "\r\n\r\n"
        #expect(to60.utf8.count == 60)
        if case .request = parse(to60, limits: limits) {} else { Issue.record("60 bytes were refused") }
        let to61 = to60.replacing("X: ", with: "XX: ")
        #expect(parse(to61, limits: limits) == .rejected(.headTooLarge))
        #expect(parse("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\n\r\n", limits: limits) == .rejected(.tooManyHeaders))
        #expect(parse("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", limits: limits) == .rejected(.bodyTooLarge))
    }

    @Test func anEndlessHeadIsCutOffWhileItArrives() {
        var parser = HTTPRequestParser()
        var bytes = Array("GET / HTTP/1.1\r\nX: ".utf8)
        var result = HTTPParseResult.incomplete
        while result == .incomplete && bytes.count < 100_000 {
            bytes += [UInt8](repeating: UInt8(ascii: "x"), count: 100)
            result = parser.parse(bytes.span)
        }
        #expect(result == .rejected(.headTooLarge))
        #expect(bytes.count < 17_000)
    }

    // A parser that began anew for each byte would look at 300 000² / 2 of them, and not come to an end within the minute.
    @Test(.timeLimit(.minutes(1)))
    func parsingAHeadByteByByteTakesLinearTime() {
        var limits = HTTPLimits()
        limits.headBytes = 400_000
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nX: ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
        var parser = HTTPRequestParser(limits: limits)
        for end in 0...bytes.count {
            if parser.parse(bytes.span.extracting(0..<end)) != .incomplete { Issue.record("refused at \(end)") }
        }
    }

    @Test(arguments: HTTPRejection.allCases)
    func everyRefusalHasAnAnswer(why: HTTPRejection) {
        var bytes: [UInt8] = []
        why.response.serialize(into: &bytes, .close)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 \(why.status) "))
        #expect(!text.contains("Status \(why.status)"))
        #expect(text.contains("connection: close\r\n"))
    }
}
