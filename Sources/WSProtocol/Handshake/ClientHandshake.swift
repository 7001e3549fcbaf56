public import HTTP

/// The client's part of the opening handshake (RFC 6455 §4.1).
public struct ClientHandshake: Sendable {
    /// Why a server's answer cannot be accepted: the client fails the connection.
    public enum Failure: Error, Equatable, Sendable {
        /// The server answered in HTTP: 401, 426, 503 …
        case refused(HTTPResponseHead)
        case malformedResponse
        case notUpgraded
        case wrongAccept
        /// A subprotocol that was not offered, or more than one.
        case wrongSubprotocol
        /// An extension or parameter that was not offered.
        case wrongExtension
    }

    public enum Progress: Equatable, Sendable {
        /// Come again with the same bytes and more.
        case incomplete
        /// Frames begin after `headBytes`.
        case accepted(subprotocol: String?, deflate: DeflateAgreement?, headBytes: Int)
        case failed(Failure)
    }

    private let key: HandshakeKey
    private let subprotocols: [String]
    private let deflate: DeflatePolicy?
    private var parser = HTTPResponseParser()
    /// To be sent as it is.
    public let requestHead: [UInt8]

    /// `host` and `target` are written as they are: `example.org:8080`, `/v1/socket`. `nonce` is 16 random bytes, fresh for every
    /// handshake. `headers` are further fields: Origin, Authorization.
    public init(
        host: String, target: String, nonce: (UInt64, UInt64), subprotocols: [String] = [], deflate: DeflatePolicy? = nil,
        headers: HTTPHeaders = HTTPHeaders()
    ) {
        key = HandshakeKey(nonce: nonce)
        self.subprotocols = subprotocols
        self.deflate = deflate
        var head = "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        head += "Sec-WebSocket-Key: \(key.text)\r\nSec-WebSocket-Version: 13\r\n"
        if !subprotocols.isEmpty { head += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n" }
        if let deflate { head += "Sec-WebSocket-Extensions: \(DeflateNegotiation.offer(deflate))\r\n" }
        for field in headers.fields { head += "\(field.name): \(field.value)\r\n" }
        requestHead = Array((head + "\r\n").utf8)
    }

    /// `bytes` is everything received so far.
    public mutating func read(_ bytes: Span<UInt8>) -> Progress {
        switch parser.parse(bytes) {
        case .incomplete: return .incomplete
        case .malformed: return .failed(.malformedResponse)
        case .response(let head, let headBytes):
            do throws(Failure) {
                let (subprotocol, deflate) = try judge(head)
                return .accepted(subprotocol: subprotocol, deflate: deflate, headBytes: headBytes)
            } catch {
                return .failed(error)
            }
        }
    }

    /// The six points of RFC 6455 §4.1, last list.
    private func judge(_ head: HTTPResponseHead) throws(Failure) -> (String?, DeflateAgreement?) {
        guard head.status == 101 else { throw .refused(head) }
        guard head.headers.all("upgrade").map({ $0.lowercasedASCII }) == ["websocket"],
            head.headers.list("connection", contains: "upgrade")
        else { throw .notUpgraded }
        guard head.headers.all("sec-websocket-accept") == [key.accept] else { throw .wrongAccept }

        let chosen = head.headers.all("sec-websocket-protocol")
        guard chosen.count <= 1, chosen.allSatisfy(subprotocols.contains) else { throw .wrongSubprotocol }

        let lines = head.headers.all("sec-websocket-extensions")
        guard !lines.isEmpty else { return (chosen.first, nil) }
        guard let deflate, let extensions = ExtensionOffer.parse(lines), extensions.count == 1,
            let agreement = DeflateNegotiation.accept(extensions[0], deflate)
        else { throw .wrongExtension }
        return (chosen.first, agreement)
    }
}
