import Messaging

/// The values of all settings of a running hub. More than twelve stored properties: one for each group of settings.
/// `EffectiveConfiguration` makes it, and no code changes it afterwards.
///
/// This file contains the defaults. The rows of `Setting.all` contain each value's meaning, accepted values and consequence of
/// exceeding it; the refusals, `hub check --explain` and docs/reference/operations.md are generated from them.
package struct Configuration: Equatable, Sendable {
    package var listen = ListenEndpoint.standard
    /// The folder of the embedded services: their data, socket, key and `embedded.env`.
    package var data = ".hub"
    /// How hubs on one database hear of each other: `postgres`, `kafka`, `redis` or `memory`.
    package var bus = "postgres"
    package var busTopic = "hub.bus"
    package var redis = Redis()
    package var embedded = false
    package var loops = Loops()
    package var limits = Limits()
    package var outbound = Outbound()
    package var websocket = WebSocket()
    package var fallback = Fallback()
    package var auth = Auth()
    package var kafka = Kafka()
    package var rules = Rules()
    package var source = Source()
    package var database = Database()
    package var retention = Retention()
    package var drain = Drain()
    package var presence = false
    package var log = Log()
    package var metrics = Metrics()

    package init() {}

    package struct Redis: Equatable, Sendable {
        package var url: String?
        package init() {}
    }

    package struct Loops: Equatable, Sendable {
        /// Zero means one loop per core.
        package var count = 0
        package var ioUring = true
        package init() {}
    }

    /// More than twelve stored properties: one for each setting.
    package struct Limits: Equatable, Sendable {
        package var connections = 100_000
        package var messageBytes = 64 * 1024
        package var bodyBytes = CommandLimits().bodyBytes
        package var subscriptions = Session.Limits().subscriptions
        package var conversationsOfPair = Session.Limits().conversationsOfPair
        package var conversationsOfUser = Session.Limits().conversationsOfUser
        package var inFlight = 64
        package var setSize = CommandLimits().setSize
        package var historyPage = Session.Limits().historyPage
        package var connectWithin: Duration = .seconds(10)
        /// Zero means never.
        package var idle: Duration = .seconds(1800)
        package var headBytes = 16 * 1024
        package var headWithin: Duration = .seconds(10)
        package var requestBodyBytes = 64 * 1024
        package var keepAlive: Duration = .seconds(60)
        // Zero means no bound, from here on.
        package var sessionsPerUser = 200
        package var connectionsPerAddress = 0
        package var commandsPerSecond = 1_000
        package var sendsPerSecond = 50
        package var sendsToOnePerSecond = 20
        package var unanswered = Session.Limits().unanswered
        package var newConversationsPerSecond = 5
        package var typingPerSecond = 10
        package var refreshFailuresPerSecond = 1
        package var historyBytesPerSecond = 4 << 20
        package init() {}
    }

    package struct Outbound: Equatable, Sendable {
        package var highWatermarkBytes = 256 * 1024
        package var lowWatermarkBytes = 64 * 1024
        package var backlogBytes = 4 * 1024 * 1024
        package var userBytes = 16 * 1024 * 1024
        /// The room that the longest entry needs between the high watermark and the backlog.
        package static let entryBytes = 64 * 1024
        package init() {}
    }

    package struct WebSocket: Equatable, Sendable {
        /// An empty list allows only pages of the hub's own address; `*` allows every page.
        package var origins: [String] = []
        package var pingEvery: Duration = .seconds(25)
        package var pongWithin: Duration = .seconds(15)
        package var deflate = Deflate()
        package init() {}
    }

    /// The settings of event streams and polls.
    package struct Fallback: Equatable, Sendable {
        package var heartbeat: Duration = .seconds(15)
        package var pollWait: Duration = .seconds(25)
        package var detached: Duration = .seconds(60)
        package init() {}
    }

    package struct Deflate: Equatable, Sendable {
        package var enabled = true
        package var minimumBytes = 512
        package var level = 5
        package var takeover = false
        package init() {}
    }

    /// More than twelve stored properties: one for each setting.
    package struct Auth: Equatable, Sendable {
        /// The source of the keys: a file or an http(s) address.
        package var jwks: String?
        package var jwksOverPlainHTTP = false
        package var issuer: String?
        package var audience: [String] = []
        package var algorithms: [String] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
        package var types: [String] = ["JWT", "at+jwt"]
        package var leeway: Duration = .seconds(30)
        package var sessionLife: Duration = .seconds(86_400)
        package var ticketLife: Duration = .seconds(30)
        /// A file with the keys of a gateway that signs contexts.
        package var contextKeys: String?
        package var tokenBytes = 8 * 1024
        package var rememberedTokens = 10_000
        package var refetchAfter: Duration = .seconds(600)
        package var subjectClaim = "sub"
        package var institutionClaim = "institution"
        package var rolesClaims: [String] = ["roles"]
        package var channelsClaim = "channels"
        package init() {}
    }

    package struct Kafka: Equatable, Sendable {
        package var brokers: [String] = []
        package var topics: [String] = ["hub.events"]
        package var deadLetterTopic = "hub.events.dlq"
        package var group = "hub"
        /// nil: named after the node. `none`: without a name.
        package var member: String?
        package var fetchWait: Duration = .milliseconds(500)
        package var batchRecords = 1_000
        package var attempts = 5
        /// Properties of librdkafka, in the order of the configuration.
        package var properties: [NamedValue] = []
        package init() {}
    }

    package struct Rules: Equatable, Sendable {
        /// nil: changes of rows notify nobody.
        package var file: String?
        package var topics: [String] = []
        package init() {}
    }

    /// The database of the platform whose changes the hub reads, and its capture.
    package struct Source: Equatable, Sendable {
        /// Only `hub doctor` connects to it.
        package var databaseURL: String?
        package var slot = "hub"
        package var publication = "hub"
        /// Zero means never.
        package var silentAfter: Duration = .zero
        package var payloadColumns: [String] = []
        package init() {}
    }

    package struct Database: Equatable, Sendable {
        /// A connection string of libpq: a `postgresql://` address or `key=value` words.
        package var url: String?
        package var connectWithin: Duration = .seconds(5)
        package var statementWithin: Duration = .seconds(10)
        package var waitingOrders = 10_000
        package var waitingOrdersOfUser = 2_048
        package init() {}
    }

    /// How long entries are kept. With zero they are never removed.
    package struct Retention: Equatable, Sendable {
        package var notifications: Duration = .zero
        package var messages: Duration = .zero
        package var system: Duration = .zero
        package init() {}
    }

    package struct Drain: Equatable, Sendable {
        package var within: Duration = .seconds(20)
        package var spread: Duration = .seconds(10)
        package var sessionsPerSecond = 500
        package init() {}
    }

    package struct Metrics: Equatable, Sendable {
        /// Nil: `/metrics` is answered at `listen`.
        package var listen: ListenEndpoint?
        package init() {}
    }

    package struct Log: Equatable, Sendable {
        package var level = "info"
        package var format = "logfmt"
        package init() {}
    }
}

/// A `name=value` pair.
package struct NamedValue: Equatable, Sendable {
    package var name: String
    package var value: String
    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// A listening address in an operator's notation: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `*:80`.
package struct ListenEndpoint: Equatable, Sendable, CustomStringConvertible {
    /// A numeric IP address, because the hub does not resolve names.
    package var host: String
    /// Zero means a free port chosen by the kernel.
    package var port: UInt16

    package static let standard = ListenEndpoint(host: "127.0.0.1", port: 8080)

    private static let names = ["localhost": "127.0.0.1", "*": "0.0.0.0"]

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init?(_ text: String) {
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

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach the address.
    package var isLoopback: Bool { host == "::1" || Self.octets(of: host)?.first == 127 }

    private static func octets(of host: String) -> [UInt8]? {
        let octets = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        return octets.count == 4 && octets.map(String.init).joined(separator: ".") == host ? octets : nil
    }
}
