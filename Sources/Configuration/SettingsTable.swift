// The table of settings: one row each. Documents and error messages are generated from these rows.

extension Setting {
    static let general: [Setting] = [
        Setting(
            "listen", \.listen, .endpoint,
            "The address on which the hub accepts clients. Loopback by default, so that nothing is exposed unless configured; port 0 takes a free one. The embedded services accept only loopback."
        ),
        Setting(
            "metrics.listen", \.metrics.listen, .optionalEndpoint,
            "An address of its own for /metrics, /livez and /readyz, with a thread of its own. /metrics is then not answered at listen, where any client can ask for it and each answer takes a millisecond of a loop. Without this, all three are answered at listen."
        ),
        Setting(
            "bus", \.bus, .choice(["postgres", "kafka", "redis", "memory"]),
            "How hubs on one database hear of each other. Each notes in the database what it commits, and reads twice a second what the others noted; nothing is lost without the rest. postgres: each rings a bell there (NOTIFY) besides. kafka, redis: each sends its entries to the others through the cluster of kafka.brokers, or the server of redis.url, so that they need not read them. memory: this hub is the only one, and what another one stores is not seen live."
        ),
        Setting(
            "bus-topic", \.busTopic, .text("a name of letters, digits, dots, - and _"),
            "With bus: kafka, the topic that carries what hubs tell each other; the hub makes it if it may. With bus: redis, the start of the names of 16 channels (hub.bus.0 to hub.bus.15). Hubs on different databases may share it, because each leaves out what belongs to another database."
        ),
        Setting(
            "redis.url", \.redis.url, .optionalText("redis://[USER:PASSWORD@]HOST[:PORT]"), secret: true,
            "The Redis (7 or newer) or Valkey server of bus: redis; an older one is refused. Its user needs the commands PUBLISH and SUBSCRIBE on the channels of bus-topic, and INFO, without which the hub does not look at the version. Nothing is stored there."
        ),
        Setting(
            "presence", \.presence, .yesOrNo,
            "Users may share whether they are there (command presence): those see each other who share it, have a conversation in common and have not blocked one another. Off, because it is personal data. Set it alike on all hubs."
        ),
        Setting("data", \.data, .text("a folder"), "Folder of the embedded services: their data, socket, signing key and embedded.env."),
        Setting(
            "embedded", \.embedded, .yesOrNo,
            "Run a private PostgreSQL and an in-process Kafka broker. For trials and tests, never for production."),
        Setting(
            "loops.count", \.loops.count, .count(0...1024),
            "Event loops, each a thread with its own connections; 0 is one per core."),
        Setting(
            "loops.io-uring", \.loops.ioUring, .yesOrNo,
            "Send to many sockets in one system call (io_uring, Linux 5.18). A broadcast then takes a sixth less processor time. If the kernel refuses io_uring, as in many containers, the hub makes one call per send and logs this at its start."
        ),
        Setting(
            "drain.within", \.drain.within, .duration(.zero...(.seconds(3600))),
            "How long a stopping hub waits for its clients to disconnect before it closes their connections. 20s: less than the 30s that orchestrators give."
        ),
        Setting(
            "drain.spread", \.drain.spread, .duration(.zero...(.seconds(3600))),
            "A stopping hub asks its clients (close code 4200) to reconnect at random times within this period, so that they do not all reconnect at once."
        ),
        Setting(
            "drain.sessions-per-second", \.drain.sessionsPerSecond, .count(1...1_000_000),
            "New sessions a second that this hub takes from others that are drained or stopped. They tell their clients over half of drain.spread, or longer when the hubs that remain need longer for so many. 500: what one core does beside its work."
        ),
        Setting(
            "log.level", \.log.level, .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            "The lowest severity of log lines that are written."),
        Setting(
            "log.format", \.log.format, .choice(["logfmt", "json"]),
            "The form of log lines: key=value words, or a JSON object a line with the same keys. All values are texts."),
    ]

    package static let limits: [Setting] = [
        Setting(
            "limits.connections", \.limits.connections, .count(1...10_000_000),
            "Open sockets of all loops together. When reached, a new connection takes the place of the oldest one without a session. When all have sessions, new ones get 503, and only /livez, /readyz and /metrics are answered. The hub raises the process's limit of open files to the most it may have, and cuts this number to what that allows."
        ),
        Setting(
            "limits.message-bytes", \.limits.messageBytes, .size(1024...16 << 20),
            "Longest message a client may send, compressed or not. 64KiB: a mark-read of 1000 entries takes 20KiB. Exceeded: close code 1009; the frame's header is checked before its payload is buffered."
        ),
        Setting(
            "limits.body-bytes", \.limits.bodyBytes, .size(1...1 << 20),
            "Longest body of a user's message. Exceeded: error too_large."),
        Setting(
            "limits.subscriptions", \.limits.subscriptions, .count(1...65_536),
            "Channels one session may follow. This bounds its memory and its share of every fan-out. Exceeded: error limit_exceeded. The reply to connect lists at most as many of the user's channels; more:true says that there are more."
        ),
        Setting(
            "limits.conversations-of-pair", \.limits.conversationsOfPair, .count(1...10_000),
            "Conversations that two users may have, each with its own context. Limited because any user who knows another user's name can open them. Exceeded: error limit_exceeded; existing conversations go on."
        ),
        Setting(
            "limits.conversations-of-user", \.limits.conversationsOfUser, .count(1...1_000_000),
            "Conversations a user may have and still open new ones. Those that others opened count, too. 5000: more than anybody uses, few enough to list. Exceeded: error limit_exceeded; existing conversations go on, and others may open new ones with the user."
        ),
        Setting(
            "limits.in-flight", \.limits.inFlight, .count(1...65_536),
            "Commands of one session that wait for a reply. 64: a page sends about ten when it loads. Exceeded: the hub stops reading the session's socket until half of them are answered."
        ),
        Setting(
            "limits.set-size", \.limits.setSize, .count(1...100_000),
            "Entries one mark-read or mark-unread may name. Exceeded: error limit_exceeded."),
        Setting(
            "limits.history-page", \.limits.historyPage, .count(1...10_000),
            "Most entries in one reply to history, most channels in one reply to conversations, and the page of a replay. A reply that this limit cuts has more:true."
        ),
        Setting(
            "limits.connect-within", \.limits.connectWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time from the opened socket to a successful connect, because an unauthenticated socket costs resources. Exceeded: close code 4105."
        ),
        Setting(
            "limits.idle", \.limits.idle, .duration(.zero...(.seconds(86_400))),
            "How long a browser's session may last without a command other than ping. 30m: a page that is left open in a tab then costs no session until its user returns. Exceeded: close code 4104; 0s: never. The limit does not apply to clients that send no Origin."
        ),
        Setting(
            "limits.head-bytes", \.limits.headBytes, .size(1024...1 << 20),
            "Request line and headers together. 16KiB: a large token and many cookies. Exceeded: 431."),
        Setting(
            "limits.head-within", \.limits.headWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time to send a whole request, from the opened connection or from a later request's first byte, because a slow sender occupies a socket. Exceeded: 408, and the connection is closed."
        ),
        Setting(
            "limits.request-body-bytes", \.limits.requestBodyBytes, .size(0...64 << 20),
            "Longest body of an HTTP request. Exceeded: 413, without reading the body."),
        Setting(
            "limits.keep-alive", \.limits.keepAlive, .duration(.zero...(.seconds(3600))),
            "How long an HTTP connection may stay open without a request. Exceeded: it is closed."),
    ]

    /// How many connections one user or address may have, and how often a user may do something.
    package static let shares: [Setting] = [
        Setting(
            "limits.sessions-per-user", \.limits.sessionsPerUser, .count(0...1_000_000),
            "Sessions of one user, on each event loop. 200: far above the tabs and devices of one person. Exceeded: a further connect is refused, and its connection closed with 4103. 0: no bound."
        ),
        Setting(
            "limits.connections-per-address", \.limits.connectionsPerAddress, .count(0...10_000_000),
            "Open connections of one IPv4 address or one /64 network of IPv6, on each event loop. 0, no bound, by default, because the clients behind one proxy have one address: set it only where clients connect directly. Exceeded: a further WebSocket is closed with 4103, another request gets 429."
        ),
        Setting(
            "limits.commands-per-second", \.limits.commandsPerSecond, .count(0...1_000_000),
            "Commands of one user in a second, in the long run; ten times as many at once. Those that cost more count as several: history, conversations and refresh as 5, open and subscribe as 2, a connect as 10, a mark of a set as one more for each 20 entries. On each event loop. Exceeded: error rate_limited with retryAfterMs; a client that ignores 1000 of these and goes on is disconnected with 4102. 0: no bound."
        ),
        Setting(
            "limits.sends-per-second", \.limits.sendsPerSecond, .count(0...100_000),
            "Messages of one user in a second, in the long run; ten times as many at once. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
        Setting(
            "limits.sends-to-one-per-second", \.limits.sendsToOnePerSecond, .count(0...100_000),
            "Messages of one user in one conversation in a second, in the long run; ten times as many at once. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
        Setting(
            "limits.unanswered", \.limits.unanswered, .count(0...1_000_000),
            "Messages a user may write in a conversation before anybody else has written there. 20: enough to explain what one wants, too few to harass somebody. Edits and deletions do not count; conversations from before version 0.7 are not bounded. Over all loops and hubs. Exceeded: error limit_exceeded until another user writes there. 0: no bound."
        ),
        Setting(
            "limits.new-conversations-per-second", \.limits.newConversationsPerSecond, .count(0...100_000),
            "Conversations that one user begins in a second, in the long run; 60 times as many at once. Existing conversations do not count. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
        Setting(
            "limits.typing-per-second", \.limits.typingPerSecond, .count(0...100_000),
            "Typing signals of one user that are passed on in a second, in the long run; ten times as many at once. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
        Setting(
            "limits.refresh-failures-per-second", \.limits.refreshFailuresPerSecond, .count(0...100_000),
            "Tokens of one user's refresh commands that cannot be accepted, in a second in the long run; 60 times as many at once. Each costs a check of its signature. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
        Setting(
            "limits.history-bytes-per-second", \.limits.historyBytesPerSecond, .size(0...1 << 30),
            "Bytes of replies to one user's history commands in a second, in the long run; ten times as many at once. On each event loop. Exceeded: error rate_limited. 0: no bound."
        ),
    ]

    package static let outbound: [Setting] = [
        Setting(
            "outbound.high-watermark-bytes", \.outbound.highWatermarkBytes, .size(4096...1 << 30),
            "Unsent bytes of one socket at which the hub stops pushing entries to it. When the socket has drained, the session reads the missed entries from the database. Signals are dropped first."
        ),
        Setting(
            "outbound.low-watermark-bytes", \.outbound.lowWatermarkBytes, .size(0...1 << 30),
            "Unsent bytes of a socket below which pushing begins again."),
        Setting(
            "outbound.backlog-bytes", \.outbound.backlogBytes, .size(64 << 10...1 << 30),
            "Most unsent bytes of one socket. Exceeded: the connection is cut without a close frame, which could not get through. No entry is lost: the client resumes at its last acknowledged position."
        ),
        Setting(
            "outbound.user-bytes", \.outbound.userBytes, .size(1 << 20...1 << 40),
            "Most unsent bytes of all sessions of one user, on each event loop. Exceeded: history and conversations are answered with the error rate_limited until the user's clients have read."
        ),
    ]

    package static let websocket: [Setting] = [
        Setting(
            "websocket.origins", \.websocket.origins,
            .list("a list of origins such as https://portfolio.example.org, or *", mayBeEmpty: true),
            "Origins of the pages that may open a socket, compared exactly, besides the hub's own address (a loopback address in the embedded mode). Others: 403. Clients that are not browsers send no Origin and are not checked."
        ),
        Setting(
            "websocket.ping-every", \.websocket.pingEvery, .duration(.seconds(1)...(.seconds(3600))),
            "Silence after which the hub pings a client. 25s: less than the 30s to 60s after which proxies cut silent connections."),
        Setting(
            "websocket.pong-within", \.websocket.pongWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time to answer a ping; any byte counts. Exceeded: close code 4201."),
        Setting("websocket.deflate", \.websocket.deflate.enabled, .yesOrNo, "Agree to permessage-deflate with clients that offer it."),
        Setting(
            "websocket.deflate-minimum-bytes", \.websocket.deflate.minimumBytes, .size(0...16 << 20),
            "Shorter messages are sent uncompressed, because compressing them costs more than it saves."),
        Setting("websocket.deflate-level", \.websocket.deflate.level, .count(1...9), "zlib's level, from 1 (fast) to 9 (small)."),
        Setting(
            "websocket.deflate-takeover", \.websocket.deflate.takeover, .yesOrNo,
            "Keep the compression window between messages: smaller frames, but about 300KiB of memory a socket, and broadcasts go to it uncompressed."
        ),
    ]

    package static let fallback: [Setting] = [
        Setting(
            "fallback.heartbeat", \.fallback.heartbeat, .duration(.seconds(1)...(.seconds(600))),
            "Time between two comments on an event stream. 15s: less than the 30s to 60s after which proxies cut silent connections."),
        Setting(
            "fallback.poll-wait", \.fallback.pollWait, .duration(.zero...(.seconds(600))),
            "The longest time that a poll waits for frames. 25s: less than the 30s after which proxies give up a request. A longer wait in a poll is cut to this."
        ),
        Setting(
            "fallback.detached", \.fallback.detached, .duration(.seconds(1)...(.seconds(3600))),
            "How long a session of the fallback transports lives without a stream or a poll. Exceeded: it ends, and its client opens a new session at its positions."
        ),
    ]

    package static let auth: [Setting] = [
        Setting(
            "auth.jwks", \.auth.jwks, .optionalText("a file, or an http:// or https:// address"), variable: "HUB_JWKS", secret: true,
            "The keys that tokens are verified with: a JWK Set, or PEM public keys in a file. A file is read again when it changes. An address is fetched again when a token names an unknown key."
        ),
        Setting(
            "auth.jwks-over-plain-http", \.auth.jwksOverPlainHTTP, .yesOrNo,
            "Fetch the keys over http:// from another machine. An attacker who can change the response on its way can then sign in as any user. Without this, only loopback addresses may be http://."
        ),
        Setting(
            "auth.issuer", \.auth.issuer, .optionalText("the exact iss claim"), variable: "HUB_ISSUER",
            "The required issuer of a token (iss claim). Others: error invalid_token."),
        Setting(
            "auth.audience", \.auth.audience, .list("a list of names"), variable: "HUB_AUDIENCE",
            "The accepted audiences: a token's aud claim must contain one of them. Others: error invalid_token."),
        Setting(
            "auth.algorithms", \.auth.algorithms,
            .list(
                "a list",
                of: [
                    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
                ]),
            "Signature algorithms that a token may use, each only with a key for it. The HS family is off by default, because a service that can verify such a token can also make one."
        ),
        Setting(
            "auth.types", \.auth.types, .list("a list of typ values"),
            "Accepted typ headers. They distinguish an access token from an ID or logout token that the same key has signed."),
        Setting(
            "auth.leeway", \.auth.leeway, .duration(.zero...(.seconds(600))),
            "Tolerated difference of clocks for exp, nbf and iat. A session ends when exp and this time have passed."),
        Setting(
            "auth.session-life", \.auth.sessionLife, .duration(.seconds(1)...(.seconds(30 * 86_400))),
            "The longest life of a session from its connect or its last refresh, whatever exp says. 1d: more than a day's work, and a token without a near end does not keep a session for ever. Exceeded: close code 4300; refresh starts it anew."
        ),
        Setting(
            "auth.ticket-life", \.auth.ticketLife, .duration(.seconds(5)...(.seconds(300))),
            "How long a one-time ticket of POST /v1/ticket can be used. Exceeded: error invalid_token; the client gets another one."),
        Setting(
            "auth.context-keys", \.auth.contextKeys, .optionalText("a file"), secret: true,
            "The keys with which an API gateway signs what it knows of a request's user (X-Signed-Context, X-Context-Signature, X-Context-Kid): a JWK Set of secrets (kty oct, alg HS256, kid). Several while the gateway changes its key. Without it these fields mean nothing. Read at the start; a hub does not start with keys that it cannot use."
        ),
        Setting(
            "auth.token-bytes", \.auth.tokenBytes, .size(256...64 << 10),
            "Longest token. Exceeded: refused without reading it."),
        Setting(
            "auth.remembered-tokens", \.auth.rememberedTokens, .count(0...10_000_000),
            "Verified tokens kept per loop, so that a reconnect costs no signature check. When full, a token that was not used lately is dropped."
        ),
        Setting(
            "auth.refetch-after", \.auth.refetchAfter, .duration(.seconds(10)...(.seconds(86_400))),
            "Age at which keys are fetched again even if no token names an unknown key. A key that was withdrawn meanwhile then ends its sessions with 4302. The provider's max-age may shorten it, down to a minute."
        ),
        Setting(
            "auth.subject-claim", \.auth.subjectClaim, .text("a claim"),
            "The claim with the user's id in the platform. A dot separates the names of nested claims."),
        Setting(
            "auth.institution-claim", \.auth.institutionClaim, .text("a claim"),
            "The claim with the user's institution. The user may follow its broadcasts."),
        Setting(
            "auth.roles-claims", \.auth.rolesClaims, .list("a list of claims"),
            "The claims with the user's roles, for example realm_access.roles. With a role the user may follow the broadcast category of that name."
        ),
        Setting(
            "auth.channels-claim", \.auth.channelsClaim, .text("a claim"),
            "The claim with a list of further broadcast channels that the user may follow."),
    ]

    package static let kafka: [Setting] = [
        Setting(
            "kafka.brokers", \.kafka.brokers, .list("a list of HOST:PORT"),
            "Addresses of the Kafka cluster; a few of its brokers are enough."),
        Setting(
            "kafka.topics", \.kafka.topics, .list("a list of topics"),
            "The topics from which the hub reads events. A topic need not exist yet."),
        Setting(
            "kafka.dead-letter-topic", \.kafka.deadLetterTopic, .text("a topic"),
            "The topic for records that cannot be decoded or stored. Their headers name the reason and the origin."),
        Setting(
            "kafka.group", \.kafka.group, .text("a consumer group"),
            "The consumer group in which the hub reads its topics and commits its offsets."),
        Setting(
            "kafka.member", \.kafka.member, .optionalText("a name of letters, digits, dots, - and _, or none"),
            "The hub's fixed name in its group (group.instance.id), different for each hub of a group. After a crash the hub resumes reading at once under its name, not after the session timeout of 6s. Without this setting: the host's name and the port of listen. Set it where host names change with each start. none: no fixed name."
        ),
        Setting(
            "kafka.fetch-wait", \.kafka.fetchWait, .duration(.milliseconds(1)...(.seconds(30))),
            "How long a broker may delay the response to a fetch. A real broker answers as soon as it has data. The embedded broker does not, so its default is 5ms."
        ),
        Setting(
            "kafka.batch-records", \.kafka.batchRecords, .count(1...100_000),
            "Most records stored in one transaction. Larger batches raise the throughput. After a failure of smaller ones less is repeated, and messages of users wait less behind them."
        ),
        Setting(
            "kafka.attempts", \.kafka.attempts, .count(1...1000),
            "How often the hub tries to store a record that fails for a reason in the record itself, before the record becomes a dead letter. An unreachable database does not count: it pauses the partitions."
        ),
        Setting(
            "kafka.properties", \.kafka.properties, .pairs,
            "Further properties of librdkafka, such as security.protocol or sasl.password. Properties on which the hub's guarantees depend are refused."
        ),
    ]

    package static let rules: [Setting] = [
        Setting(
            "rules.file", \.rules.file, .optionalText("a path"),
            "The rules that turn changes of the platform's tables into entries and retractions. The hub looks every 2 s whether the file has changed, and takes all of the new rules or, when it has a fault, none: then the earlier ones go on, and the log names the line."
        ),
        Setting(
            "rules.topics", \.rules.topics, .list("a list of topics"),
            "The topics of change data capture (Debezium), read in the same consumer group as kafka.topics. A name that begins with ^ is a pattern; then kafka.topics must not have one."
        ),
    ]

    package static let source: [Setting] = [
        Setting(
            "source.database-url", \.source.databaseURL, .optionalText("postgresql://USER@HOST:PORT/NAME, or libpq's key=value words"),
            secret: true,
            "The platform's database whose changes are captured. Only hub doctor connects to it, reads its catalogs and changes nothing."),
        Setting(
            "source.slot", \.source.slot, .text("a name of letters, digits and _"),
            "The replication slot of the connector there (Debezium's slot.name)."),
        Setting(
            "source.publication", \.source.publication, .text("a publication"),
            "The publication of the connector there (Debezium's publication.name)."),
        Setting(
            "source.silent-after", \.source.silentAfter, .duration(.zero...(.seconds(86_400))),
            "A source of changes (a Debezium connector, by its topic.prefix) counts as silent when no hub of the consumer group has got a change or heartbeat of it for so long, and nothing of it waits in Kafka; 0s: never. Use several times heartbeat.interval.ms, read the heartbeat topic (rules.topics), and set it alike on all hubs."
        ),
        Setting(
            "source.payload-columns", \.source.payloadColumns, .list("a list of columns", mayBeEmpty: true),
            "The columns of payload.after in the platform's own records whose values leave the hub, as data of the entry. Empty by default, because rows have personal data."
        ),
    ]

    package static let database: [Setting] = [
        Setting(
            "database.url", \.database.url, .optionalText("postgresql://USER@HOST:PORT/NAME, or libpq's key=value words"), secret: true,
            "The PostgreSQL database (15 or newer) for channels, entries and cursors. They have a schema of their own."),
        Setting(
            "database.connect-within", \.database.connectWithin, .duration(.seconds(1)...(.seconds(60))),
            "Time to reach the database before the attempt counts as failed. Attempts are repeated with growing pauses."),
        Setting(
            "database.statement-within", \.database.statementWithin, .duration(.milliseconds(100)...(.seconds(600))),
            "The longest time that a statement may run. Exceeded: its transaction is rolled back and tried again."),
        Setting(
            "database.waiting-orders", \.database.waitingOrders, .count(1...10_000_000),
            "Commands and batches that may wait for the database. Exceeded: error unavailable (temporary) for commands, paused partitions for Kafka."
        ),
        Setting(
            "database.waiting-orders-of-user", \.database.waitingOrdersOfUser, .count(1...10_000_000),
            "Commands of one kind and one user that may wait while more commands wait than one transaction takes; users then take turns. 2048: what comes with one read of a socket (64 KiB), in the shortest commands. Exceeded: error unavailable (temporary)."
        ),
    ]

    package static let retention: [Setting] = [
        Setting(
            "retention.notifications", \.retention.notifications, .duration(.zero...(.seconds(36_500 * 86_400))),
            "How long notifications are kept, such as 365d; 0s: for ever, so that nothing is removed unless configured. Older ones are removed in small steps, from the start of a channel up to the first entry that is kept: give all kinds of a channel an age. A record that is read from Kafka again after its entry was removed is stored again, so keep entries longer than Kafka keeps records."
        ),
        Setting(
            "retention.messages", \.retention.messages, .duration(.zero...(.seconds(36_500 * 86_400))),
            "How long messages of users are kept; 0s: for ever."),
        Setting(
            "retention.system", \.retention.system, .duration(.zero...(.seconds(36_500 * 86_400))),
            "How long entries of the kind system are kept; 0s: for ever."),
    ]
}
