import Auth
package import Configuration
import HTTP
import Intake
import Kafka
import Linux
import Messaging
import Reactor
import Sessions
import Transports
import WSProtocol

// Translates the configuration to the settings of a loop.

extension LoopThread.Settings {
    package init(_ configuration: Configuration, loops: Int) {
        serving = ServingLimits(configuration, loops: loops)
        sessions = SessionLimits(configuration)
        handshake = HandshakePolicy(configuration.websocket)
        handshake.sameHostIsLoopback = configuration.embedded
        handshake.subprotocols = ["hub.v1.json"]
        handshake.maximumBearerBytes = configuration.auth.tokenBytes
        heartbeat = configuration.fallback.heartbeat
        pollWait = configuration.fallback.pollWait
        policy = TokenPolicy(configuration.auth)
        rememberedTokens = configuration.auth.rememberedTokens
        openOrders = configuration.database.waitingOrders
    }
}

extension ServingLimits {
    package init(_ configuration: Configuration, loops: Int) {
        self.init()
        connections.maximum = max(1, configuration.limits.connections / loops)
        connections.sendsTogether = configuration.loops.ioUring
        connections.highWatermarkBytes = configuration.outbound.highWatermarkBytes
        connections.lowWatermarkBytes = configuration.outbound.lowWatermarkBytes
        connections.backlogBytes = configuration.outbound.backlogBytes
        connectionsPerAddress = configuration.limits.connectionsPerAddress
        http.headBytes = configuration.limits.headBytes
        bodyBytes = max(configuration.limits.requestBodyBytes, configuration.limits.messageBytes)
        socket = WebSocketLimits(
            messageBytes: configuration.limits.messageBytes, compressionThresholdBytes: configuration.websocket.deflate.minimumBytes)
        headTimeout = configuration.limits.headWithin
        keepAliveTimeout = configuration.limits.keepAlive
        pingInterval = configuration.websocket.pingEvery
        pongTimeout = configuration.websocket.pongWithin
        deflateLevel = configuration.websocket.deflate.level
    }
}

extension SessionLimits {
    package init(_ configuration: Configuration) {
        self.init()
        session.subscriptions = configuration.limits.subscriptions
        session.conversationsOfPair = configuration.limits.conversationsOfPair
        session.conversationsOfUser = configuration.limits.conversationsOfUser
        session.sharesPresence = configuration.presence
        session.unanswered = configuration.limits.unanswered
        session.historyPage = configuration.limits.historyPage
        commands.bodyBytes = configuration.limits.bodyBytes
        commands.setSize = configuration.limits.setSize
        commands.subscriptions = configuration.limits.subscriptions
        commands.historyPage = configuration.limits.historyPage
        messageBytes = configuration.limits.messageBytes
        inFlight = configuration.limits.inFlight
        pingInterval = configuration.websocket.pingEvery
        connectWithin = configuration.limits.connectWithin
        keyWait = min(keyWait, connectWithin * 3 / 4)
        idle = configuration.limits.idle
        life = configuration.auth.sessionLife
        ticketLife = configuration.auth.ticketLife
        detached = configuration.fallback.detached
        paces = PaceLimits(configuration.limits)
        unreadBytes = configuration.outbound.userBytes
        sessionsPerUser = configuration.limits.sessionsPerUser
    }
}

extension PaceLimits {
    package init(_ limits: Configuration.Limits) {
        self.init()
        commands = commands.at(perSecond: limits.commandsPerSecond)
        sends = sends.at(perSecond: limits.sendsPerSecond)
        sendsOfPair = sendsOfPair.at(perSecond: limits.sendsToOnePerSecond)
        newConversations = newConversations.at(perSecond: limits.newConversationsPerSecond)
        typing = typing.at(perSecond: limits.typingPerSecond)
        historyBytes = historyBytes.at(perSecond: limits.historyBytesPerSecond)
        refreshFailures = refreshFailures.at(perSecond: limits.refreshFailuresPerSecond)
    }
}

extension HandshakePolicy {
    package init(_ websocket: Configuration.WebSocket) {
        self.init()
        origins = Origins(websocket.origins)
        if websocket.deflate.enabled {
            var policy = DeflatePolicy()
            policy.serverContextTakeover = websocket.deflate.takeover
            policy.clientContextTakeover = websocket.deflate.takeover
            deflate = policy
        } else {
            deflate = nil
        }
    }
}

extension HandshakePolicy.Origins {
    /// An empty list allows only pages of the hub's own address; `*` allows every page.
    package init(_ names: [String]) {
        if names.contains("*") {
            self = .any
        } else {
            self = names.isEmpty ? .sameHost : .listed(names, sameHost: true)
        }
    }
}

extension TokenPolicy {
    package init(_ auth: Configuration.Auth) {
        self.init(
            algorithms: Set(auth.algorithms.compactMap(Algorithm.init(rawValue:))), issuer: auth.issuer, audiences: auth.audience,
            types: auth.types, leeway: auth.leeway, maximumBytes: auth.tokenBytes,
            claims: ClaimNames(
                subject: ClaimPath(auth.subjectClaim), institution: ClaimPath(auth.institutionClaim),
                roles: auth.rolesClaims.map { ClaimPath($0) }, channels: ClaimPath(auth.channelsClaim)))
    }
}

extension IntakeConfiguration {
    /// - Parameter member: the hub's fixed name in the group.
    package init(
        _ settings: Configuration.Kafka, _ rules: Configuration.Rules, _ source: Configuration.Source = Configuration.Source(),
        member: String? = nil
    ) {
        self.init(
            brokers: settings.brokers.joined(separator: ","), group: settings.group, topics: settings.topics,
            deadLetterTopic: settings.deadLetterTopic)
        read(changes: rules.topics, by: rules.file)
        payloadColumns = source.payloadColumns
        silentAfter = source.silentAfter > .zero ? source.silentAfter : nil
        consumer.member = member
        consumer.fetchWait = settings.fetchWait
        poll.records = settings.batchRecords
        flow.gatheredRecords = settings.batchRecords
        flow.refusals = settings.attempts
        apply(settings.properties.map { ($0.name, $0.value) })
    }
}

extension Configuration {
    /// Tells this hub from the others on its database: its name in the consumer group, or what that would be by default.
    /// - Parameter port: at which the hub listens.
    package func nodeName(port: UInt16) -> String {
        if let name = kafka.member, name != "none" { return name }
        let name = "\(Machine.hostName)-\(port)"
        // Kafka's rule for names in a group.
        return String(name.prefix(249).map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "-" })
    }

    /// The hub's fixed name in its consumer group, nil for none.
    package var kafkaMember: String? {
        kafka.member == "none" ? nil : nodeName(port: listen.port)
    }
}
