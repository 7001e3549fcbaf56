// The table of settings: one row each. Documents and error messages are generated from these rows.

extension Setting {
    static let general: [Setting] = [
        Setting(
            "listen", \.listen, .endpoint,
            "Where clients connect. Loopback by default, so that nothing is exposed unasked; port 0 takes a free one. With the embedded services only loopback is accepted."
        ),
        Setting("data", \.data, .text("a folder"), "Folder of the embedded services: their data, socket, signing key and embedded.env."),
        Setting(
            "embedded", \.embedded, .yesOrNo,
            "Run a private PostgreSQL and an in-process Kafka broker. For trying out and tests, never for production."),
        Setting(
            "loops.count", \.loops.count, .count(0...1024),
            "Event loops, each a thread with its own connections; 0 is one per core."),
        Setting(
            "loops.io-uring", \.loops.ioUring, .yesOrNo,
            "Send to many sockets in one system call (io_uring, Linux 5.18): a sixth less processor time for a broadcast. Where the kernel refuses it, as in many containers, each send is a call of its own, and a line at start says so."
        ),
        Setting(
            "drain.within", \.drain.within, .duration(.zero...(.seconds(3600))),
            "How long a stopping hub waits for its connections to leave before it cuts them. 20s: under the 30s that orchestrators give."),
        Setting(
            "drain.spread", \.drain.spread, .duration(.zero...(.seconds(3600))),
            "Clients told to reconnect (4200) are asked to spread over this time, so that they do not all come back at once."),
        Setting(
            "log.level", \.log.level, .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
            "Least severe line that is logged."),
    ]

    package static let limits: [Setting] = [
        Setting(
            "limits.connections", \.limits.connections, .count(1...10_000_000),
            "Sockets open at once, over all loops. When reached, new ones wait in the kernel's queue until one closes. Also bounded by the process's open files."
        ),
        Setting(
            "limits.message-bytes", \.limits.messageBytes, .size(1024...16 << 20),
            "Longest message a client may send, compressed or not. 64KiB: a mark-read of 1000 takes 20KiB. Exceeded: close code 1009, judged from the frame's head before anything is buffered."
        ),
        Setting(
            "limits.body-bytes", \.limits.bodyBytes, .size(1...1 << 20),
            "Longest body of a user's message. Exceeded: error too_large."),
        Setting(
            "limits.subscriptions", \.limits.subscriptions, .count(1...65_536),
            "Channels one session may follow; bounds its memory and its share of every fan-out. Exceeded: error limit_exceeded. As many of a user's channels are listed by connect, more:true says that there are more."
        ),
        Setting(
            "limits.conversations-of-pair", \.limits.conversationsOfPair, .count(1...10_000),
            "Conversations two people may have, each with a context of its own: whoever knows a user's name can open them. Exceeded: error limit_exceeded; those they have go on."
        ),
        Setting(
            "limits.in-flight", \.limits.inFlight, .count(1...65_536),
            "Commands of one session that wait for an answer. 64: a page loads with about ten. Exceeded: its socket is not read until half are answered."
        ),
        Setting(
            "limits.set-size", \.limits.setSize, .count(1...100_000),
            "Entries one mark-read or mark-unread may name. Exceeded: error limit_exceeded."),
        Setting(
            "limits.history-page", \.limits.historyPage, .count(1...10_000),
            "Most entries in one reply to history, channels in one to conversations, and the page of a replay. More asked for: fewer given, with more:true."
        ),
        Setting(
            "limits.connect-within", \.limits.connectWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time from the opened socket to a successful connect: an unauthenticated socket costs and earns nothing. Exceeded: close code 4105."
        ),
        Setting(
            "limits.idle", \.limits.idle, .duration(.zero...(.seconds(86_400))),
            "How long a browser's session may be without a sign of its user (any command but ping). 30m: a page left open in a tab costs a session until the user is back. Exceeded: close code 4104; 0s: never. Clients that send no Origin are not concerned."
        ),
        Setting(
            "limits.head-bytes", \.limits.headBytes, .size(1024...1 << 20),
            "Request line and headers together. 16KiB: a large token and a crowd of cookies. Exceeded: 431."),
        Setting(
            "limits.head-within", \.limits.headWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time to send a whole request, from the opened connection or from a later request's first byte; slow senders hold sockets. Exceeded: 408, and the connection is closed."
        ),
        Setting(
            "limits.request-body-bytes", \.limits.requestBodyBytes, .size(0...64 << 20),
            "Body of an HTTP request. Exceeded: 413 before any of it is read."),
        Setting(
            "limits.keep-alive", \.limits.keepAlive, .duration(.zero...(.seconds(3600))),
            "How long an HTTP connection may stay open without a request. Exceeded: it is closed."),
    ]

    package static let outbound: [Setting] = [
        Setting(
            "outbound.high-watermark-bytes", \.outbound.highWatermarkBytes, .size(4096...1 << 30),
            "Unsent bytes of one socket at which entries stop being pushed to it; the session catches up from the database when it has drained. Signals are dropped first."
        ),
        Setting(
            "outbound.low-watermark-bytes", \.outbound.lowWatermarkBytes, .size(0...1 << 30),
            "Unsent bytes under which pushing begins again."),
        Setting(
            "outbound.backlog-bytes", \.outbound.backlogBytes, .size(64 << 10...1 << 30),
            "Most unsent bytes of one socket. Exceeded: the connection is dropped, for no close frame could get through; nothing is lost, it resumes where it acknowledged."
        ),
    ]

    package static let websocket: [Setting] = [
        Setting(
            "websocket.origins", \.websocket.origins,
            .list("a list of origins such as https://portfolio.example.org, or *", mayBeEmpty: true),
            "Pages that may open a socket, compared exactly, besides those of the hub's own address, which is a loopback one in the embedded mode. Others: 403. Clients that are no browsers send no Origin and are not concerned."
        ),
        Setting(
            "websocket.ping-every", \.websocket.pingEvery, .duration(.seconds(1)...(.seconds(3600))),
            "Silence after which a client is pinged. 25s: under the 30s to 60s after which proxies cut silent connections."),
        Setting(
            "websocket.pong-within", \.websocket.pongWithin, .duration(.seconds(1)...(.seconds(600))),
            "Time to answer a ping; any byte counts. Exceeded: close code 4201."),
        Setting("websocket.deflate", \.websocket.deflate.enabled, .yesOrNo, "Agree to permessage-deflate with clients that offer it."),
        Setting(
            "websocket.deflate-minimum-bytes", \.websocket.deflate.minimumBytes, .size(0...16 << 20),
            "Shorter messages are sent as they are: compressing them costs more than it saves."),
        Setting("websocket.deflate-level", \.websocket.deflate.level, .count(1...9), "zlib's level, from fast to small."),
        Setting(
            "websocket.deflate-takeover", \.websocket.deflate.takeover, .yesOrNo,
            "Keep the compression window between messages: smaller frames, but about 300KiB of memory a socket, and broadcasts go to it uncompressed."
        ),
    ]

    package static let fallback: [Setting] = [
        Setting(
            "fallback.heartbeat", \.fallback.heartbeat, .duration(.seconds(1)...(.seconds(600))),
            "Time between two comments on an event stream. 15s: under the 30s to 60s after which proxies cut silent connections."),
        Setting(
            "fallback.poll-wait", \.fallback.pollWait, .duration(.zero...(.seconds(600))),
            "The longest a poll waits for frames. 25s: under the 30s after which proxies give up a request. A poll that asks for more gets this."
        ),
        Setting(
            "fallback.detached", \.fallback.detached, .duration(.seconds(1)...(.seconds(3600))),
            "How long a session that is reached by HTTP lives without a stream or a poll. Exceeded: it ends, and its client opens another one at its positions."
        ),
    ]

    package static let auth: [Setting] = [
        Setting(
            "auth.jwks", \.auth.jwks, .optionalText("a file, or an http:// or https:// address"), variable: "HUB_JWKS",
            "The keys tokens are checked with: a JWK Set, or PEM public keys in a file. A file is read again when it changes, an address fetched again when a token names an unknown key."
        ),
        Setting(
            "auth.jwks-over-plain-http", \.auth.jwksOverPlainHTTP, .yesOrNo,
            "Fetch the keys over http:// from another machine. Whoever can change the answer on its way can then sign in as anybody; without this only loopback addresses may be http://."
        ),
        Setting(
            "auth.issuer", \.auth.issuer, .optionalText("the exact iss claim"), variable: "HUB_ISSUER",
            "Who must have made a token. Others: error invalid_token."),
        Setting(
            "auth.audience", \.auth.audience, .list("a list of names"), variable: "HUB_AUDIENCE",
            "For whom a token must be made: one of these must be in its aud claim. Others: error invalid_token."),
        Setting(
            "auth.algorithms", \.auth.algorithms,
            .list(
                "a list",
                of: [
                    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
                ]),
            "Signature algorithms a token may use, and only with a key made for them. Without the HS family by default: whoever can check such a token can also make one."
        ),
        Setting(
            "auth.types", \.auth.types, .list("a list of typ values"),
            "Accepted typ headers; what tells an access token from an ID or logout token signed by the same key."),
        Setting(
            "auth.leeway", \.auth.leeway, .duration(.zero...(.seconds(600))),
            "Tolerated difference of clocks for exp, nbf and iat. A session lasts as long: to exp and this time more."),
        Setting(
            "auth.token-bytes", \.auth.tokenBytes, .size(256...64 << 10),
            "Longest token. Exceeded: refused unread."),
        Setting(
            "auth.remembered-tokens", \.auth.rememberedTokens, .count(0...10_000_000),
            "Verified tokens kept per loop, so that a reconnect costs no signature check. When full, one that was not used lately goes."),
        Setting(
            "auth.refetch-after", \.auth.refetchAfter, .duration(.seconds(10)...(.seconds(86_400))),
            "Age at which fetched keys are fetched again even when all are known."),
        Setting(
            "auth.subject-claim", \.auth.subjectClaim, .text("a claim"),
            "The user's name in the platform. Nested claims are joined by dots."),
        Setting("auth.institution-claim", \.auth.institutionClaim, .text("a claim"), "The user's institution; entitles to its broadcasts."),
        Setting(
            "auth.roles-claims", \.auth.rolesClaims, .list("a list of claims"),
            "Where roles stand, for example realm_access.roles; each entitles to the broadcast category of its name."),
        Setting("auth.channels-claim", \.auth.channelsClaim, .text("a claim"), "A list of further broadcast channels the user may hear."),
    ]

    package static let kafka: [Setting] = [
        Setting(
            "kafka.brokers", \.kafka.brokers, .list("a list of HOST:PORT"),
            "Where to find the Kafka cluster; a few of its brokers are enough."),
        Setting("kafka.topics", \.kafka.topics, .list("a list of topics"), "What the hub reads events from. A topic need not exist yet."),
        Setting(
            "kafka.dead-letter-topic", \.kafka.deadLetterTopic, .text("a topic"),
            "Where records go that cannot be understood or stored, with reason and origin in headers."),
        Setting(
            "kafka.group", \.kafka.group, .text("a consumer group"),
            "The name under which the hub reads its topics; where it was is kept under it."),
        Setting(
            "kafka.fetch-wait", \.kafka.fetchWait, .duration(.milliseconds(1)...(.seconds(30))),
            "How long a broker may keep a fetch waiting. A real broker answers as soon as there is data; the embedded one needs 5ms, and gets it."
        ),
        Setting(
            "kafka.batch-records", \.kafka.batchRecords, .count(1...100_000),
            "Most records stored in one transaction. More: throughput; fewer: less repeated after a failure, and messages of users wait less behind one."
        ),
        Setting(
            "kafka.attempts", \.kafka.attempts, .count(1...1000),
            "How often storing one record is tried, for reasons that lie in the record, before it goes to the dead letters. A database that is away does not count: then partitions pause."
        ),
        Setting(
            "kafka.properties", \.kafka.properties, .pairs,
            "Further properties of librdkafka, such as security.protocol or sasl.password. Those the hub's promises rest on are refused."),
    ]

    package static let database: [Setting] = [
        Setting(
            "database.url", \.database.url, .optionalText("postgresql://USER@HOST:PORT/NAME, or libpq's key=value words"), secret: true,
            "The PostgreSQL database (15 or newer) that holds channels, entries and cursors, in a schema of its own."),
        Setting(
            "database.connect-within", \.database.connectWithin, .duration(.seconds(1)...(.seconds(60))),
            "Time to reach the database before the attempt counts as failed; tried again with growing pauses."),
        Setting(
            "database.statement-within", \.database.statementWithin, .duration(.milliseconds(100)...(.seconds(600))),
            "Longest a statement may run. Exceeded: its transaction is undone and tried again."),
        Setting(
            "database.waiting-orders", \.database.waitingOrders, .count(1...10_000_000),
            "Commands and batches that may wait for the database. Exceeded: error unavailable (temporary) for commands, paused partitions for Kafka."
        ),
    ]
}
