/// The WebSocket protocol of each server of the comparison: how a client subscribes, how an entry is published to all subscribers, and
/// the messages that subscribers get. It does no I/O.
///
/// For fairness, subscribers of every server get WebSocket messages of the same length. Where a protocol adds bytes to the published
/// text (NATS' `MSG` line, MQTT's header), the text is shorter by that number. Every text is an exact copy of the hub's entry and is
/// found by the same code, so that readers need the same time for each server.
public enum Dialect: String, CaseIterable, Sendable, Codable {
    /// `hub serve`: JSON lines. Entries are published through Kafka, as the services of a platform do.
    case hub
    /// `hub echo`
    case hubEcho = "hub-echo"
    /// bench/baseline/ws_server.c: little more than the cost of the system calls.
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
    /// Any server that echoes on `/echo`, or forwards messages from `/publish` to `/subscribe`; or does one of these on another path.
    case plain
}

/// The purpose of a connection.
public enum Role: String, CaseIterable, Sendable {
    case subscriber, publisher, echo
}

/// One WebSocket message, unmasked and without the frame header.
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

    /// The roles of connections that the server supports. Brokers have no echo: sending a message back to its publisher would be a fan-out
    /// to one subscriber.
    public var roles: [Role] {
        switch self {
        // Entries are published through Kafka, so there is no publisher connection.
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

    /// Whether a connection has to authenticate.
    public var needsToken: Bool { self == .hub }
}
