/// How each server of the comparison is spoken to over a WebSocket: what a client says to subscribe, how something is published to all
/// subscribers, and what a subscriber then gets. Pure: bytes in, bytes out.
///
/// Fairness: every subscriber is delivered WebSocket messages of the same length, whatever the server. Where a protocol puts bytes of
/// its own around the published text (NATS' `MSG` line, MQTT's header) the text is shorter by as much, so the frames on the wire are
/// equal. And every text is the hub's entry to the letter, found by the same code: a reader needs as long for each, whoever sent it.
public enum Dialect: String, CaseIterable, Sendable, Codable {
    /// `hub serve`: JSON lines; published through Kafka, as a platform's service does.
    case hub
    /// `hub echo`
    case hubEcho = "hub-echo"
    /// bench/baseline/ws_server.c: the kernel's price.
    case bareC = "bare-c"
    /// bench/peers/node-ws: the `ws` package on Node.
    case nodeWS = "node-ws"
    /// bench/peers/uwebsockets: uWebSockets by its C interface.
    case uWebSockets = "uwebsockets"
    /// bench/peers/socketify: uWebSockets, through its Python binding.
    case socketify
    /// bench/peers/nginx: nginx with the nchan module.
    case nchan
    /// bench/peers/nats: nats-server's WebSocket listener.
    case nats
    /// bench/peers/mosquitto: MQTT 3.1.1 over WebSocket.
    case mosquitto
    /// Any server that echoes on `/echo`, or sends on to `/subscribe` what comes on `/publish`; or does one of them on a path of its own.
    case plain
}

/// What a connection is there for.
public enum Role: String, CaseIterable, Sendable {
    case subscriber, publisher, echo
}

/// One WebSocket message, unmasked and without its frame's header.
public struct Message: Equatable, Sendable {
    public var isText: Bool
    public var bytes: [UInt8]

    public init(isText: Bool, bytes: [UInt8]) {
        self.isText = isText
        self.bytes = bytes
    }

    static func text(_ text: String) -> Message { Message(isText: true, bytes: Array(text.utf8)) }
    static func binary(_ bytes: [UInt8]) -> Message { Message(isText: false, bytes: bytes) }
}

extension Dialect {
    public var title: String {
        switch self {
        case .hub: "hub"
        case .hubEcho: "hub echo"
        case .bareC: "bare C"
        case .nodeWS: "ws on Node"
        case .uWebSockets: "uWebSockets"
        case .socketify: "socketify"
        case .nchan: "nginx + nchan"
        case .nats: "nats-server"
        case .mosquitto: "mosquitto"
        case .plain: "plain WebSocket"
        }
    }

    /// What the server can be asked to do. Echo is left out where the protocol has none: a broker that sends a message back to its
    /// publisher does a fan-out to one.
    public var roles: [Role] {
        switch self {
        // Published is through Kafka: there is no publisher's connection.
        case .hub: [.subscriber]
        case .hubEcho: [.echo]
        case .nchan, .nats, .mosquitto: [.subscriber, .publisher]
        case .bareC, .nodeWS, .uWebSockets, .socketify, .plain: [.subscriber, .publisher, .echo]
        }
    }

    /// Whether `permessage-deflate` can be switched on in the configurations of this repository.
    public var canCompress: Bool {
        switch self {
        case .hub, .hubEcho, .nodeWS, .uWebSockets, .socketify, .nchan, .nats, .plain: true
        // Debian's libwebsockets is built without extensions.
        case .bareC, .mosquitto: false
        }
    }

    /// Whether a connection has to prove who it is.
    public var needsToken: Bool { self == .hub }
}
