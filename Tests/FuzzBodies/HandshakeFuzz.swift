import HTTP
import WSProtocol

/// Header lines added to a handshake that is otherwise in order, then the same bytes as a server's answer.
enum HandshakeFuzz {
    private static let policy: HandshakePolicy = {
        var policy = HandshakePolicy()
        policy.origins = .listed(["https://portfolio.example"], sameHost: true)
        policy.subprotocols = ["hub.v1.json"]
        return policy
    }()

    static func run(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let lines = input.dropFirst()
        // Without its own key and version when the choice says so, so that the input can bring them.
        var head = Array("GET /v1/socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".utf8)
        if choice & 1 == 0 { head += Array("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n".utf8) }
        head += lines
        head += [13, 10, 13, 10]
        var parser = HTTPRequestParser()
        if case .request(let request, _) = parser.parse(head.span) { answer(request) }

        var client = makeClient()
        let status = Array("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n".utf8)
        let accept = Array("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".utf8)
        switch client.read((status + accept + lines + [13, 10, 13, 10]).span) {
        case .accepted(let subprotocol, let deflate, _):
            precondition(subprotocol == nil || subprotocol == "hub.v1.json")
            if let deflate { check(deflate) }
        case .incomplete, .failed: break
        }
    }

    private static func makeClient() -> ClientHandshake {
        ClientHandshake(
            host: "h", target: "/", nonce: (0x7468_6520_7361_6D70, 0x6C65_206E_6F6E_6365), subprotocols: ["hub.v1.json"],
            deflate: DeflatePolicy())
    }

    private static func answer(_ request: HTTPRequest) {
        switch ServerHandshake.answer(request, policy: policy) {
        case .reject(let why):
            precondition((400...431).contains(why.response.status))
        case .accept(let agreement):
            precondition(agreement.subprotocol == nil || agreement.subprotocol == "hub.v1.json")
            if let bearer = agreement.bearer { precondition(!bearer.isEmpty && bearer.utf8.count <= policy.maximumBearerBytes) }
            if let deflate = agreement.deflate { check(deflate) }
            var parser = HTTPResponseParser()
            guard case .response(let head, agreement.responseHead.count) = parser.parse(agreement.responseHead.span) else {
                preconditionFailure("the answer is not a response")
            }
            precondition(head.status == 101 && head.headers.all("sec-websocket-accept").count == 1)
            precondition(!String(decoding: agreement.responseHead, as: UTF8.self).contains("bearer"))
        }
    }

    private static func check(_ agreement: DeflateAgreement) {
        precondition((8...15).contains(agreement.clientWindowBits) && (8...15).contains(agreement.serverWindowBits))
        precondition(agreement.serverNoContextTakeover && agreement.clientNoContextTakeover)
    }
}
