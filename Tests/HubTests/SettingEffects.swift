import Configuration
import Testing

/// What changing one setting changes: the row of a table that has one for every setting.
struct SettingEffect: Sendable, CustomTestStringConvertible {
    let setting: String
    /// Not the default.
    let value: String
    /// What must be set besides, for the setting to have an effect at all.
    let besides: [String: String]
    let isSeen: Evidence
    var testDescription: String { setting }

    enum Evidence: Sendable {
        /// Exactly these values of the parts change, and to this.
        case values([String: String])
        /// It acts where no unit test sees it: this end-to-end test fails without it.
        case endToEnd(file: String, test: String)
    }

    init(_ setting: String, _ value: String, besides: [String: String] = [:], _ values: [String: String]) {
        (self.setting, self.value, self.besides) = (setting, value, besides)
        isSeen = .values(values)
    }

    init(_ setting: String, _ value: String, seenBy test: String, in file: String) {
        (self.setting, self.value, besides) = (setting, value, [:])
        isSeen = .endToEnd(file: file, test: test)
    }

    static let all: [SettingEffect] =
        general + limits + shares + outbound + webSocket + fallback + auth + kafka + rules + source + database
        + retention

    private static let general = [
        SettingEffect("listen", "127.0.0.1:9000", besides: ["kafka.member": "hub-1"], ["listen.port": "9000"]),
        SettingEffect("metrics.listen", "[::1]:9090", ["metricsListen.host": "::1", "metricsListen.port": "9090"]),
        SettingEffect("bus", "memory", ["store.isShared": "false", "store.rings": "false", "store.busName": "memory"]),
        SettingEffect("bus-topic", "other", besides: ["bus": "kafka"], ["engine.kafka.topic": "other"]),
        SettingEffect(
            "redis.url", "redis://cache:1", besides: ["bus": "redis", "redis.url": "redis://first"],
            ["engine.redis.address.host": "cache", "engine.redis.address.port": "1"]),
        SettingEffect("presence", "true", ["loop.sessions.session.sharesPresence": "true"]),
        SettingEffect("data", "elsewhere", seenBy: "test_a_second_start_finds_the_data_of_the_first", in: "test_embedded.py"),
        // The rest of the embedded mode is that of test_embedded.py.
        SettingEffect("embedded", "true", ["loop.handshake.sameHostIsLoopback": "true"]),
        SettingEffect("loops.count", "3", ["loops": "3", "loop.serving.connections.maximum": "33333"]),
        SettingEffect("loops.io-uring", "false", ["loop.serving.connections.sendsTogether": "false"]),
        SettingEffect("drain.within", "7s", ["drain.within": "7.0 seconds"]),
        SettingEffect("drain.spread", "7s", ["drain.spread": "7.0 seconds"]),
        SettingEffect("drain.sessions-per-second", "7", ["drain.sessionsPerSecond": "7"]),
        SettingEffect("log.level", "debug", ["log.level": "debug"]),
        SettingEffect("log.format", "json", ["log.format": "json"]),
    ]

    private static let limits = [
        SettingEffect("limits.connections", "400", ["loop.serving.connections.maximum": "100"]),
        SettingEffect(
            "limits.message-bytes", "128KiB",
            [
                "loop.serving.bodyBytes": "131072", "loop.serving.socket.messageBytes": "131072", "loop.sessions.messageBytes": "131072",
            ]),
        SettingEffect("limits.body-bytes", "7KiB", ["loop.sessions.commands.bodyBytes": "7168"]),
        SettingEffect(
            "limits.subscriptions", "7", ["loop.sessions.commands.subscriptions": "7", "loop.sessions.session.subscriptions": "7"]),
        SettingEffect("limits.conversations-of-pair", "7", ["loop.sessions.session.conversationsOfPair": "7"]),
        SettingEffect("limits.conversations-of-user", "7", ["loop.sessions.session.conversationsOfUser": "7"]),
        SettingEffect("limits.in-flight", "7", ["loop.sessions.inFlight": "7"]),
        SettingEffect("limits.set-size", "7", ["loop.sessions.commands.setSize": "7"]),
        SettingEffect("limits.history-page", "7", ["loop.sessions.commands.historyPage": "7", "loop.sessions.session.historyPage": "7"]),
        SettingEffect("limits.connect-within", "20s", ["loop.sessions.connectWithin": "20.0 seconds"]),
        SettingEffect("limits.idle", "7s", ["loop.sessions.idle": "7.0 seconds"]),
        SettingEffect("limits.head-bytes", "7KiB", ["loop.serving.http.headBytes": "7168"]),
        SettingEffect("limits.head-within", "7s", ["loop.serving.headTimeout": "7.0 seconds"]),
        SettingEffect("limits.request-body-bytes", "128KiB", ["loop.serving.bodyBytes": "131072"]),
        SettingEffect("limits.keep-alive", "7s", ["loop.serving.keepAliveTimeout": "7.0 seconds"]),
    ]

    private static let shares = [
        SettingEffect("limits.sessions-per-user", "7", ["loop.sessions.sessionsPerUser": "7"]),
        SettingEffect("limits.connections-per-address", "7", ["loop.serving.connectionsPerAddress": "7"]),
        pace("limits.commands-per-second", "commands", burst: 10),
        pace("limits.sends-per-second", "sends", burst: 10),
        pace("limits.sends-to-one-per-second", "sendsOfPair", burst: 10),
        SettingEffect("limits.unanswered", "7", ["loop.sessions.session.unanswered": "7"]),
        pace("limits.new-conversations-per-second", "newConversations", burst: 60),
        pace("limits.typing-per-second", "typing", burst: 10),
        pace("limits.refresh-failures-per-second", "refreshFailures", burst: 60),
        pace("limits.history-bytes-per-second", "historyBytes", burst: 10),
    ]

    /// - Parameter burst: so many times the pace at once.
    private static func pace(_ setting: String, _ name: String, burst: Int) -> SettingEffect {
        SettingEffect(
            setting, "7", ["loop.sessions.paces.\(name).perSecond": "7", "loop.sessions.paces.\(name).burst": "\(7 * burst)"])
    }

    private static let outbound = [
        SettingEffect("outbound.high-watermark-bytes", "128KiB", ["loop.serving.connections.highWatermarkBytes": "131072"]),
        SettingEffect("outbound.low-watermark-bytes", "7KiB", ["loop.serving.connections.lowWatermarkBytes": "7168"]),
        SettingEffect("outbound.backlog-bytes", "2MiB", ["loop.serving.connections.backlogBytes": "2097152"]),
        SettingEffect("outbound.user-bytes", "2MiB", ["loop.sessions.unreadBytes": "2097152"]),
    ]

    private static let webSocket = [
        SettingEffect(
            "websocket.origins", "https://a.example", ["loop.handshake.origins": #"listed(["https://a.example"], sameHost: true)"#]),
        SettingEffect(
            "websocket.ping-every", "7s", ["loop.serving.pingInterval": "7.0 seconds", "loop.sessions.pingInterval": "7.0 seconds"]),
        SettingEffect("websocket.pong-within", "7s", ["loop.serving.pongTimeout": "7.0 seconds"]),
        SettingEffect(
            "websocket.deflate", "false",
            [
                "loop.handshake.deflate.clientContextTakeover": "nil", "loop.handshake.deflate.clientMaxWindowBits": "nil",
                "loop.handshake.deflate.serverContextTakeover": "nil",
                "loop.handshake.deflate.serverMaxWindowBits": "nil",
            ]),
        SettingEffect("websocket.deflate-minimum-bytes", "7KiB", ["loop.serving.socket.compressionThresholdBytes": "7168"]),
        SettingEffect("websocket.deflate-level", "7", ["loop.serving.deflateLevel": "7"]),
        SettingEffect(
            "websocket.deflate-takeover", "true",
            ["loop.handshake.deflate.serverContextTakeover": "true", "loop.handshake.deflate.clientContextTakeover": "true"]),
    ]

    private static let fallback = [
        SettingEffect("fallback.heartbeat", "7s", ["loop.heartbeat": "7.0 seconds"]),
        SettingEffect("fallback.poll-wait", "7s", ["loop.pollWait": "7.0 seconds"]),
        SettingEffect("fallback.detached", "7s", ["loop.sessions.detached": "7.0 seconds"]),
    ]

    /// An address of keys: a file is looked at every two seconds, whatever is set.
    private static let address = ["auth.jwks": "https://a.example/keys"]

    private static let auth = [
        SettingEffect("auth.jwks", "b.json", ["keys.location": #"file("b.json")"#]),
        SettingEffect("auth.jwks-over-plain-http", "true", besides: address, ["keys.limits.followsToPlainHTTP": "true"]),
        SettingEffect("auth.issuer", "i", ["loop.policy.issuer": "i"]),
        SettingEffect("auth.audience", "a,b", ["loop.policy.audiences": #"["a", "b"]"#]),
        SettingEffect("auth.algorithms", "RS256,HS512", ["loop.policy.algorithms": "hs512, rs256"]),
        SettingEffect("auth.types", "a,b", ["loop.policy.types": #"["a", "b"]"#]),
        SettingEffect("auth.leeway", "7s", ["loop.policy.leewaySeconds": "7"]),
        SettingEffect("auth.session-life", "7s", ["loop.sessions.life": "7.0 seconds"]),
        SettingEffect("auth.ticket-life", "7s", ["loop.sessions.ticketLife": "7.0 seconds"]),
        SettingEffect("auth.context-keys", "k.json", ["contextKeys": "k.json"]),
        SettingEffect("auth.token-bytes", "7KiB", ["loop.policy.maximumBytes": "7168", "loop.handshake.maximumBearerBytes": "7168"]),
        SettingEffect("auth.remembered-tokens", "7", ["loop.rememberedTokens": "7"]),
        SettingEffect("auth.refetch-after", "77s", besides: address, ["keys.rules.refreshInterval": "77.0 seconds"]),
        SettingEffect("auth.subject-claim", "a.b", ["loop.policy.claims.subject.name": "a.b"]),
        SettingEffect("auth.institution-claim", "a.b", ["loop.policy.claims.institution.name": "a.b"]),
        SettingEffect("auth.roles-claims", "a.b,c", ["loop.policy.claims.roles": "[a.b, c]"]),
        SettingEffect("auth.channels-claim", "a.b", ["loop.policy.claims.channels.name": "a.b"]),
    ]

    private static let rules = [
        SettingEffect("rules.file", "/etc/hub/rules.yaml", ["intake.rulesFile": "/etc/hub/rules.yaml"]),
        SettingEffect(
            "rules.topics", "a,b", ["intake.changeTopics": #"["a", "b"]"#, "intake.consumer.topics": #"["hub.events", "a", "b"]"#]),
    ]

    private static let source = [
        SettingEffect(
            "source.database-url", "postgresql://platform", seenBy: "test_settings_name_the_database_the_slot_and_the_publication",
            in: "test_doctor.py"),
        SettingEffect(
            "source.slot", "other", seenBy: "test_settings_name_the_database_the_slot_and_the_publication", in: "test_doctor.py"),
        SettingEffect(
            "source.publication", "other", seenBy: "test_settings_name_the_database_the_slot_and_the_publication", in: "test_doctor.py"),
        SettingEffect("source.silent-after", "7s", ["intake.silentAfter": "7.0 seconds"]),
        SettingEffect("source.payload-columns", "a,b", ["intake.payloadColumns": #"["a", "b"]"#]),
    ]

    private static let kafka = [
        SettingEffect(
            "kafka.brokers", "a:1,b:2",
            ["intake.consumer.brokers": "a:1,b:2", "intake.deadLetterProducer.brokers": "a:1,b:2", "demo.brokers": "a:1,b:2"]),
        SettingEffect(
            "kafka.topics", "a,b",
            ["intake.consumer.topics": #"["a", "b"]"#, "intake.eventTopics": #"["a", "b"]"#, "demo.topic": "a"]),
        SettingEffect("kafka.dead-letter-topic", "a", ["intake.deadLetterTopic": "a"]),
        SettingEffect("kafka.group", "a", ["intake.consumer.group": "a"]),
        SettingEffect("kafka.member", "a", ["intake.consumer.member": "a", "store.nodeName": "a"]),
        SettingEffect("kafka.fetch-wait", "7ms", ["intake.consumer.fetchWait": "0.007 seconds"]),
        SettingEffect("kafka.batch-records", "7", ["intake.poll.records": "7", "intake.flow.gatheredRecords": "7"]),
        SettingEffect("kafka.attempts", "7", ["intake.flow.refusals": "7"]),
        SettingEffect(
            "kafka.properties", "client.id=a",
            [
                "intake.consumer.properties.pairs": pairs([("client.id", "a")]),
                "intake.deadLetterProducer.properties.pairs": pairs(
                    [
                        ("message.max.bytes", "16777216"), ("topic.metadata.propagation.max.ms", "5000"),
                        ("topic.metadata.refresh.interval.ms", "5000"), ("client.id", "a"),
                    ]),
            ]),
    ]

    private static func pairs(_ properties: [(name: String, value: String)]) -> String { "\(properties)" }

    private static let database = [
        SettingEffect("database.url", "host=a", ["store.address": "host=a"]),
        SettingEffect("database.connect-within", "7s", ["store.connectDeadline": "7.0 seconds"]),
        SettingEffect(
            "database.statement-within", "7s", ["store.statementTimeout": "7.0 seconds", "store.answerDeadline": "12.0 seconds"]),
        SettingEffect("database.waiting-orders", "7", ["store.capacity": "7", "loop.openOrders": "7"]),
        SettingEffect("database.waiting-orders-of-user", "7", ["store.ordersOfUser": "7"]),
    ]

    private static let retention = [
        SettingEffect("retention.notifications", "7d", ["store.retention.notifications": "604800.0 seconds"]),
        SettingEffect("retention.messages", "7d", ["store.retention.messages": "604800.0 seconds"]),
        SettingEffect("retention.system", "7d", ["store.retention.system": "604800.0 seconds"]),
    ]
}
