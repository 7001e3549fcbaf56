import HTTP
import HangGuard
import Testing

@testable import WSProtocol

/// A handshake that is in order, with lines put in the place of, or beside, its own.
func handshake(
    _ extra: [String] = [], without removed: Set<String> = [], line: String = "GET /v1/socket HTTP/1.1"
) -> String {
    let fields = [
        ("host", "Host: hub.example.org"), ("upgrade", "Upgrade: websocket"), ("connection", "Connection: Upgrade"),
        ("key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), ("version", "Sec-WebSocket-Version: 13"),
    ]
    return ([line] + fields.filter { !removed.contains($0.0) }.map(\.1) + extra).joined(separator: "\r\n") + "\r\n\r\n"
}

func answer(_ text: String, _ policy: HandshakePolicy = HandshakePolicy()) throws -> HandshakeOutcome {
    var parser = HTTPRequestParser()
    guard case .request(let request, _) = parser.parse(Array(text.utf8).span) else { throw NoRequest() }
    return ServerHandshake.answer(request, policy: policy)
}

struct NoRequest: Error {}

func agreement(_ text: String, _ policy: HandshakePolicy = HandshakePolicy()) throws -> HandshakeAgreement {
    switch try answer(text, policy) {
    case .accept(let agreement): return agreement
    case .reject(let why): throw why
    }
}

@Suite("RFC 6455 §4.2.1: reading the client's handshake", .guarded)
struct HandshakeReadingTests {
    @Test(arguments: [
        ("Upgrade: WebSocket", "upgrade"), ("Upgrade: h2c, websocket", "upgrade"), ("Connection: keep-alive, Upgrade", "connection"),
        ("Connection: UPGRADE", "connection"),
    ])
    func tokensAreComparedWithoutCaseInLists(line: String, instead: String) throws {
        _ = try agreement(handshake([line], without: [instead]))
    }

    @Test(arguments: [
        (handshake(line: "POST /v1/socket HTTP/1.1"), HandshakeRejection.methodNotGet),
        (handshake(without: ["upgrade"]), .notAnUpgrade),
        (handshake(["Upgrade: websocket2"], without: ["upgrade"]), .notAnUpgrade),
        (handshake(["Upgrade: websocket/13"], without: ["upgrade"]), .notAnUpgrade),
        (handshake(without: ["connection"]), .connectionDoesNotUpgrade),
        (handshake(["Connection: keep-alive"], without: ["connection"]), .connectionDoesNotUpgrade),
        (handshake(["Content-Length: 1"]), .bodyNotAllowed),
        (handshake(without: ["version"]), .unsupportedVersion),
        (handshake(["Sec-WebSocket-Version: 8"], without: ["version"]), .unsupportedVersion),
        (handshake(["Sec-WebSocket-Version: 013"], without: ["version"]), .unsupportedVersion),
        (handshake(["Sec-WebSocket-Version: 13, 8"], without: ["version"]), .unsupportedVersion),
        (handshake(["Sec-WebSocket-Version: 13"]), .duplicateVersion),
        (handshake(without: ["key"]), .missingKey),
        (handshake(["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]), .duplicateKey),
    ])
    func eachPartIsDemanded(text: String, why: HandshakeRejection) throws {
        #expect(try answer(text) == .reject(why))
    }

    @Test(arguments: [
        "", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub2-_ZQ==",
        "========================",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==", "dGhl,HNhbXBsZSBub25jZQ==",
    ])
    func aKeyIsBase64OfSixteenBytes(key: String) throws {
        #expect(try answer(handshake(["Sec-WebSocket-Key: \(key)"], without: ["key"])) == .reject(.malformedKey))
    }

    @Test func otherVersionsAreToldTheRightOne() throws {
        guard case .reject(let why) = try answer(handshake(["Sec-WebSocket-Version: 8"], without: ["version"])) else { throw NoRequest() }
        var bytes: [UInt8] = []
        why.response.serialize(into: &bytes, .keep)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 426 Upgrade Required\r\n"))
        #expect(text.contains("sec-websocket-version: 13\r\n"))
        #expect(text.contains("upgrade: websocket\r\n"))
    }

    @Test(arguments: HandshakeRejection.allCases)
    func everyRefusalHasAStatus(why: HandshakeRejection) {
        #expect([400, 403, 405, 426, 431].contains(why.response.status))
        #expect(!why.answer.message.isEmpty)
    }
}

@Suite("RFC 6455 §4.2.2: sending the server's handshake", .guarded)
struct HandshakeAnswerTests {
    @Test func theAcceptKeyIsThatOfTheRFC() throws {
        let head = String(decoding: try agreement(handshake()).responseHead, as: UTF8.self)
        #expect(
            head
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (String(repeating: "a", count: 1000), "291e9a6c66994949b57ba5e650361e98fc36b1ba"),
    ])
    func digestsAreThoseOfRFC3174(message: String, digest: String) {
        let hex = SHA1.digest(Array(message.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == digest)
    }

    @Test func theServerChoosesTheSubprotocolInItsOwnOrder() throws {
        var policy = HandshakePolicy()
        policy.subprotocols = ["hub.v2.json", "hub.v1.json"]
        let chosen = try agreement(handshake(["Sec-WebSocket-Protocol: hub.v1.json", "Sec-WebSocket-Protocol: x, hub.v2.json"]), policy)
        #expect(chosen.subprotocol == "hub.v2.json")
        #expect(String(decoding: chosen.responseHead, as: UTF8.self).contains("Sec-WebSocket-Protocol: hub.v2.json\r\n"))
        #expect(try agreement(handshake(["Sec-WebSocket-Protocol: HUB.V1.JSON"]), policy).subprotocol == nil)
        #expect(try agreement(handshake(), policy).subprotocol == nil)
    }

    @Test func aSubprotocolCanBeDemanded() throws {
        var policy = HandshakePolicy()
        policy.subprotocols = ["hub.v1.json"]
        policy.requiresSubprotocol = true
        #expect(try answer(handshake(), policy) == .reject(.noCommonSubprotocol))
        #expect(try answer(handshake(["Sec-WebSocket-Protocol: chat"]), policy) == .reject(.noCommonSubprotocol))
    }

    @Test(arguments: [
        ("a b", HandshakeRejection.malformedSubprotocols),
        ("a, a", .malformedSubprotocols), ("a;b", .malformedSubprotocols), ("\"a\"", .malformedSubprotocols),
        ((0...16).map { "p\($0)" }.joined(separator: ","), .tooManySubprotocols),
        ("hub.bearer.a, hub.bearer.b", .duplicateBearer), ("hub.bearer.", .emptyBearer),
        ("hub.bearer.\(String(repeating: "x", count: 8193))", .bearerTooLarge),
    ])
    func oddSubprotocolsAreRefused(value: String, why: HandshakeRejection) throws {
        #expect(try answer(handshake(["Sec-WebSocket-Protocol: \(value)"])) == .reject(why))
    }

    @Test("An empty Sec-WebSocket-Protocol or -Extensions field is no offer", arguments: ["", ",", " , ,"])
    func emptyFields(value: String) throws {
        let agreed = try agreement(handshake(["Sec-WebSocket-Protocol: \(value)", "Sec-WebSocket-Extensions: \(value)"]))
        #expect(agreed.subprotocol == nil && agreed.bearer == nil && agreed.deflate == nil)
        var policy = HandshakePolicy()
        policy.requiresSubprotocol = true
        #expect(try answer(handshake(["Sec-WebSocket-Protocol: \(value)"]), policy) == .reject(.noCommonSubprotocol))
    }

    @Test func theBearerSubprotocolIsReadAndNeverEchoed() throws {
        var policy = HandshakePolicy()
        policy.subprotocols = ["hub.v1.json", "hub.bearer.eyJ.eyJ.sig-_"]
        let agreed = try agreement(handshake(["Sec-WebSocket-Protocol: hub.bearer.eyJ.eyJ.sig-_, hub.v1.json"]), policy)
        #expect(agreed.bearer == "eyJ.eyJ.sig-_")
        #expect(agreed.subprotocol == "hub.v1.json")
        #expect(!String(decoding: agreed.responseHead, as: UTF8.self).contains("bearer"))
        policy.subprotocols.removeFirst()
        #expect(try agreement(handshake(["Sec-WebSocket-Protocol: hub.bearer.eyJ.eyJ.sig-_"]), policy).subprotocol == nil)
    }
}

@Suite("RFC 6455 §10.2: origins", .guarded)
struct OriginTests {
    func outcome(_ origins: HandshakePolicy.Origins, _ origin: String?, host: String = "hub.example.org") throws -> HandshakeRejection? {
        var policy = HandshakePolicy()
        policy.origins = origins
        let text = handshake(["Host: \(host)"] + (origin.map { ["Origin: \($0)"] } ?? []), without: ["host"])
        guard case .reject(let why) = try answer(text, policy) else { return nil }
        return why
    }

    @Test(arguments: [
        ("https://hub.example.org", "hub.example.org"), ("http://hub.example.org", "hub.example.org"),
        ("https://HUB.example.org", "hub.Example.org"), ("http://localhost:8080", "localhost:8080"),
        ("https://hub.example.org", "hub.example.org:443"), ("http://hub.example.org", "hub.example.org:80"),
    ])
    func theSameHostMayConnect(origin: String, host: String) throws {
        #expect(try outcome(.sameHost, origin, host: host) == nil)
        #expect(try outcome(.listed([], sameHost: true), origin, host: host) == nil)
        #expect(try outcome(.listed([], sameHost: false), origin, host: host) == .originForbidden)
    }

    @Test(arguments: [
        "https://evil.example", "https://hub.example.org.evil.example", "https://evil.example/hub.example.org", "null", "",
        "hub.example.org", "https://hub.example.org:8443", "https://xhub.example.org", "ftp://hub.example.org", "https://hub.example.org/",
    ])
    func othersMayNot(origin: String) throws {
        #expect(try outcome(.sameHost, origin) == .originForbidden)
        #expect(try outcome(.any, origin) == nil)
        #expect(try outcome(.listed(["*"], sameHost: false), origin) == nil)
    }

    @Test(
        "a server on loopback accepts no other host name for itself",
        arguments: [
            ("localhost:8080", true), ("127.0.0.1:8080", true), ("[::1]:8080", true), ("[::1]", true), ("evil.example:8080", false),
            ("127.0.0.1.evil.example:8080", false), ("localhost.evil.example", false),
        ])
    func loopback(host: String, isAllowed: Bool) throws {
        var policy = HandshakePolicy()
        policy.sameHostIsLoopback = true
        for origins in [HandshakePolicy.Origins.sameHost, .listed([], sameHost: true)] {
            policy.origins = origins
            let text = handshake(["Host: \(host)", "Origin: http://\(host)"], without: ["host"])
            guard case .reject(let why) = try answer(text, policy) else {
                #expect(isAllowed)
                continue
            }
            #expect(why == .originForbidden && !isAllowed)
        }
    }

    @Test func listedOriginsMayConnect() throws {
        let listed = HandshakePolicy.Origins.listed(["https://Portfolio.example"], sameHost: false)
        #expect(try outcome(listed, "https://portfolio.example") == nil)
        #expect(try outcome(listed, "http://portfolio.example") == .originForbidden)
        #expect(try outcome(listed, "https://portfolio.example:444") == .originForbidden)
    }

    @Test func clientsWithoutAnOriginMayConnect() throws {
        #expect(try outcome(.sameHost, nil) == nil)
        var policy = HandshakePolicy()
        policy.allowsAbsentOrigin = false
        #expect(try answer(handshake(), policy) == .reject(.originMissing))
        #expect(try answer(handshake(["Origin: http://a", "Origin: http://a"]), policy) == .reject(.originDuplicate))
    }
}
