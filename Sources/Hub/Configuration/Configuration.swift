internal import Messaging

/// Everything an operator can set, as the hub runs with it. Made by `EffectiveConfiguration`, never changed afterwards.
///
/// The defaults stand here; what each value means, what it accepts and what happens when it is exceeded stands once in its
/// row of `Setting.all`, from which the refusals, `hub check --explain` and docs/reference/operations.md are made.
public struct Configuration: Equatable, Sendable {
    public var listen = ListenEndpoint.standard
    /// The folder of the embedded services: their data, socket, key and `embedded.env`.
    public var data = ".hub"
    public var embedded = false
    public var loops = Loops()
    public var limits = Limits()
    public var outbound = Outbound()
    public var websocket = WebSocket()
    public var auth = Auth()
    public var kafka = Kafka()
    public var database = Database()
    public var drain = Drain()
    public var log = Log()

    public init() {}

    public struct Loops: Equatable, Sendable {
        /// Zero: one per core.
        public var count = 0
        public var ioUring = true
        public init() {}
    }

    public struct Limits: Equatable, Sendable {
        public var connections = 100_000
        public var messageBytes = 64 * 1024
        public var bodyBytes = CommandLimits().bodyBytes
        public var subscriptions = Session.Limits().subscriptions
        public var conversationsOfPair = Session.Limits().conversationsOfPair
        public var inFlight = 64
        public var setSize = CommandLimits().setSize
        public var historyPage = Session.Limits().historyPage
        public var connectWithin: Duration = .seconds(10)
        public var headBytes = 16 * 1024
        public var headWithin: Duration = .seconds(10)
        public var requestBodyBytes = 64 * 1024
        public var keepAlive: Duration = .seconds(60)
        public init() {}
    }

    public struct Outbound: Equatable, Sendable {
        public var highWatermarkBytes = 256 * 1024
        public var lowWatermarkBytes = 64 * 1024
        public var backlogBytes = 4 * 1024 * 1024
        public init() {}
    }

    public struct WebSocket: Equatable, Sendable {
        /// Empty: pages of the hub's own address only. `*`: every page.
        public var origins: [String] = []
        public var pingEvery: Duration = .seconds(25)
        public var pongWithin: Duration = .seconds(15)
        public var deflate = Deflate()
        public init() {}
    }

    public struct Deflate: Equatable, Sendable {
        public var enabled = true
        public var minimumBytes = 512
        public var level = 5
        public var takeover = false
        public init() {}
    }

    public struct Auth: Equatable, Sendable {
        /// A file or an http(s) address.
        public var jwks: String?
        public var jwksOverPlainHTTP = false
        public var issuer: String?
        public var audience: [String] = []
        public var algorithms: [String] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
        public var types: [String] = ["JWT", "at+jwt"]
        public var leeway: Duration = .seconds(30)
        public var tokenBytes = 8 * 1024
        public var rememberedTokens = 10_000
        public var refetchAfter: Duration = .seconds(600)
        public var subjectClaim = "sub"
        public var institutionClaim = "institution"
        public var rolesClaims: [String] = ["roles"]
        public var channelsClaim = "channels"
        public init() {}
    }

    public struct Kafka: Equatable, Sendable {
        public var brokers: [String] = []
        public var topics: [String] = ["hub.events"]
        public var deadLetterTopic = "hub.events.dlq"
        public var group = "hub"
        public var fetchWait: Duration = .milliseconds(500)
        public var batchRecords = 1_000
        public var attempts = 5
        /// librdkafka's own properties, in the order given.
        public var properties: [NamedValue] = []
        public init() {}
    }

    public struct Database: Equatable, Sendable {
        /// What libpq accepts: a `postgresql://` address or `key=value` words.
        public var url: String?
        public var connectWithin: Duration = .seconds(5)
        public var statementWithin: Duration = .seconds(10)
        public var waitingOrders = 10_000
        public init() {}
    }

    public struct Drain: Equatable, Sendable {
        public var within: Duration = .seconds(20)
        public var spread: Duration = .seconds(10)
        public init() {}
    }

    public struct Log: Equatable, Sendable {
        public var level = "info"
        public init() {}
    }
}

/// A `name=value` pair.
public struct NamedValue: Equatable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Where to listen, as an operator writes it: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `*:80`.
public struct ListenEndpoint: Equatable, Sendable, CustomStringConvertible {
    /// A numeric IP address; names are not looked up.
    public var host: String
    /// Zero: a free one.
    public var port: UInt16

    public static let standard = ListenEndpoint(host: "127.0.0.1", port: 8080)

    private static let names = ["localhost": "127.0.0.1", "*": "0.0.0.0"]

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inside = host.dropFirst().dropLast()
            guard inside.contains(":"), inside.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
            self.init(host: String(inside), port: port)
        } else {
            let numeric = Self.names[String(host)] ?? String(host)
            guard Self.octets(of: numeric) != nil else { return nil }
            self.init(host: numeric, port: port)
        }
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach it.
    public var isLoopback: Bool { host == "::1" || Self.octets(of: host)?.first == 127 }

    private static func octets(of host: String) -> [UInt8]? {
        let octets = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        return octets.count == 4 && octets.map(String.init).joined(separator: ".") == host ? octets : nil
    }
}
