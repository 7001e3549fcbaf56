import HTTP
import HangGuard
import Testing
import WSProtocol

@Suite("RFC 6455 §4.1: the client's handshake", .guarded)
struct ClientHandshakeTests {
    // The sixteen bytes of the RFC's nonce, "the sample nonce".
    static let nonce: (UInt64, UInt64) = (0x7468_6520_7361_6D70, 0x6C65_206E_6F6E_6365)

    func client(subprotocols: [String] = [], deflate: DeflatePolicy? = nil) -> ClientHandshake {
        ClientHandshake(host: "h:80", target: "/x", nonce: Self.nonce, subprotocols: subprotocols, deflate: deflate)
    }

    /// Reads `response` whole and byte by byte.
    func read(_ response: String, _ handshake: ClientHandshake) -> ClientHandshake.Progress {
        let bytes = Array(response.utf8)
        var whole = handshake
        let progress = whole.read(bytes.span)
        var pieces = handshake
        var inPieces = ClientHandshake.Progress.incomplete
        for end in 0...bytes.count where inPieces == .incomplete { inPieces = pieces.read(bytes.span.extracting(0..<end)) }
        #expect(inPieces == progress)
        return progress
    }

    func response(_ extra: [String] = [], without removed: Set<String> = [], line: String = "HTTP/1.1 101 Switching Protocols") -> String {
        let fields = [
            ("upgrade", "Upgrade: websocket"), ("connection", "Connection: Upgrade"),
            ("accept", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ]
        return ([line] + fields.filter { !removed.contains($0.0) }.map(\.1) + extra).joined(separator: "\r\n") + "\r\n\r\n"
    }

    @Test func theRequestIsWrittenInFull() {
        let head = String(decoding: client(subprotocols: ["a", "b"], deflate: DeflatePolicy()).requestHead, as: UTF8.self)
        #expect(
            head
                == "GET /x HTTP/1.1\r\nHost: h:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n"
                + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_no_context_takeover; "
                + "client_no_context_takeover\r\n\r\n")
    }

    @Test func clientAndServerAgree() throws {
        var policy = HandshakePolicy()
        policy.subprotocols = ["b"]
        let handshake = client(subprotocols: ["a", "b"], deflate: DeflatePolicy())
        let agreed = try agreement(String(decoding: handshake.requestHead, as: UTF8.self), policy)
        let progress = read(String(decoding: agreed.responseHead, as: UTF8.self), handshake)
        #expect(progress == .accepted(subprotocol: "b", deflate: agreed.deflate, headBytes: agreed.responseHead.count))
        #expect(agreed.deflate == DeflateAgreement())
    }

    @Test func framesMayFollowAtOnce() {
        let head = response()
        var handshake = client()
        #expect(
            handshake.read((Array(head.utf8) + frame(1, "hi")).span)
                == .accepted(subprotocol: nil, deflate: nil, headBytes: head.utf8.count))
    }

    static let wrongAnswers: [([String], [String], ClientHandshake.Failure)] = [
        (["Upgrade: h2c"], ["upgrade"], ClientHandshake.Failure.notUpgraded),
        ([], ["upgrade"], .notUpgraded),
        ([], ["connection"], .notUpgraded),
        (["Connection: close"], ["connection"], .notUpgraded),
        ([], ["accept"], .wrongAccept),
        (["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo"], ["accept"], .wrongAccept),
        (["Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="], ["accept"], .wrongAccept),
        (["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], [], .wrongAccept),
        (["Sec-WebSocket-Protocol: c"], [], .wrongSubprotocol),
        (["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"], [], .wrongSubprotocol),
        (["Sec-WebSocket-Extensions: permessage-deflate"], [], .wrongExtension),
        (["Sec-WebSocket-Extensions: x"], [], .wrongExtension),
        (["Sec-WebSocket-Extensions: ;"], [], .wrongExtension),
    ]

    @Test(arguments: wrongAnswers)
    func unrequestedExtensionsAndProtocolsFailTheConnection(extra: [String], removed: [String], why: ClientHandshake.Failure) {
        #expect(read(response(extra, without: Set(removed)), client(subprotocols: ["a", "b"])) == .failed(why))
    }

    @Test(arguments: [
        "permessage-deflate", "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=7",
        "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; x",
    ])
    func compressionThatWasNotOfferedFailsTheConnection(value: String) {
        #expect(read(response(["Sec-WebSocket-Extensions: \(value)"]), client(deflate: DeflatePolicy())) == .failed(.wrongExtension))
    }

    @Test func theServersParametersAreTakenOver() {
        let line =
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=8"
        let agreement = DeflateAgreement(serverWindowBits: 10, clientWindowBits: 8)
        guard case .accepted(nil, agreement, _) = read(response([line]), client(deflate: DeflatePolicy())) else {
            Issue.record("not accepted")
            return
        }
    }

    @Test func aRefusalInHTTPIsReported() {
        let text = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\n"
        let head = HTTPResponseHead(status: 401, headers: HTTPHeaders([("content-length", "3")]), contentLength: 3)
        #expect(read(text, client()) == .failed(.refused(head)))
        #expect(read("HTTP/1.1 101\n\n", client()) == .failed(.malformedResponse))
    }
}
