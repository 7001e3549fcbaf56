/// The parts of the upgrade request that depend on the server.
public struct Handshake: Equatable, Sendable {
    public var path: String
    public var subprotocols: [String] = []
    public var headers: [Header] = []

    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: String
    }

    /// The bytes to send first.
    /// - Parameter key: 16 random bytes in base64.
    public func request(host: String, key: String) -> [UInt8] {
        var text = "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(key)\r\n"
        if !subprotocols.isEmpty { text += "Sec-WebSocket-Protocol: \(subprotocols.joined(separator: ", "))\r\n" }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        return Array((text + "\r\n").utf8)
    }
}

extension Dialect {
    /// - Parameter compressed: offers `permessage-deflate` without context takeover in either direction. All servers that can compress
    ///   accept this, and it lets a server compress a broadcast only once.
    public func handshake(_ role: Role, compressed: Bool = false) -> Handshake {
        var handshake = Handshake(path: path(role))
        switch self {
        case .hub: handshake.subprotocols = ["hub.v1.json"]
        case .mosquitto: handshake.subprotocols = ["mqtt"]
        case .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .nats, .plain: break
        }
        if compressed {
            let offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            handshake.headers.append(Handshake.Header(name: "Sec-WebSocket-Extensions", value: offer))
        }
        return handshake
    }

    private func path(_ role: Role) -> String {
        switch self {
        case .hub: "/v1/socket"
        case .hubEcho: "/"
        case .nats: "/"
        case .mosquitto: "/mqtt"
        case .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain:
            switch role {
            case .subscriber: "/subscribe"
            case .publisher: "/publish"
            case .echo: "/echo"
            }
        }
    }

    /// The messages that a client sends right after the handshake, without waiting for answers.
    /// - Parameters:
    ///   - session: a unique name of the session, for protocols that need one.
    ///   - token: the token for the hub; see `needsToken`.
    ///   - channels: the channels that a subscriber of the hub follows; the other servers have one channel.
    public func greeting(_ role: Role, session: Int, token: String = "", channels: [String] = [Dialect.channel]) -> [Message] {
        switch self {
        case .hubEcho, .bareC, .nodeWS, .uWebSockets, .socketify, .nchan, .plain: return []
        case .hub:
            let list = channels.map { #"{"channel":"\#($0)"}"# }.joined(separator: ",")
            return [.text(#"{"id":1,"type":"connect","token":"\#(token)","channels":[\#(list)]}"#)]
        case .nats:
            let connect = #"CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","protocol":1,"echo":true}"#
            let subscribe = role == .subscriber ? "SUB \(NATS.subject) \(NATS.subscription)\r\n" : ""
            return [.binary(Array("\(connect)\r\n\(subscribe)PING\r\n".utf8))]
        case .mosquitto:
            let connect = Message.binary(MQTT.connect(client: "bench-\(role.rawValue)-\(session)"))
            return role == .subscriber ? [connect, .binary(MQTT.subscribe())] : [connect]
        }
    }

    /// The hub's channel for a fan-out. All users may follow it.
    public static let channel = "broadcast:system"
}
