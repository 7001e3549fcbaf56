/// The layout as data: who may import what, and what each kind of target may say. Everything in this suite reads from here.
struct House {
    struct Target {
        /// Targets of this package it may import. The manifest must declare exactly these.
        var ours: Set<String> = []
        /// Modules of the toolchain and of other packages it may import.
        var others: Set<String> = []
        /// The C module it alone may import; its owner alone may handle pointers and say `unsafe`.
        var owns: String?
        /// No clock, no randomness, no task of its own: time and randomness are arguments.
        var pure = false
        /// Why threads of this target may make calls that wait; nil: they may not.
        var blocks: String?
        /// Why this target takes locks; nil: it does not.
        var locks: String?

        var mayImport: Set<String> { ours.union(others).union(owns.map { [$0] } ?? []) }
    }

    var targets: [String: Target]

    var cModules: Set<String> { Set(targets.values.compactMap(\.owns)) }

    static let hub = House(targets: [
        "Linux": Target(others: ["Glibc", "Synchronization"], owns: "CLinux", locks: "the lock itself"),
        "Zlib": Target(others: ["Glibc"], owns: "CZlib", pure: true),
        "OpenSSL": Target(others: ["Glibc"], owns: "COpenSSL", pure: true),
        "Postgres": Target(others: ["Glibc", "Synchronization"], owns: "CPostgres"),
        "Kafka": Target(others: ["Glibc", "Synchronization"], owns: "CRdkafka"),
        "Redis": Target(owns: "CHiredis"),
        "Curl": Target(others: ["Glibc", "Synchronization"], owns: "CCurl"),

        "Bytes": Target(pure: true),
        "Pacing": Target(pure: true),
        "CEL": Target(ours: ["Bytes"], pure: true),
        "JSON": Target(ours: ["Bytes"], pure: true),
        "HTTP": Target(ours: ["Bytes"], pure: true),
        "WSProtocol": Target(ours: ["Bytes", "HTTP", "Zlib"], pure: true),
        "Auth": Target(ours: ["Bytes", "Pacing", "OpenSSL", "JSON"], pure: true),
        "Messaging": Target(ours: ["Bytes", "JSON"], pure: true),
        "ChangeCapture": Target(ours: ["Bytes", "JSON", "OpenSSL"], pure: true),
        "Rules": Target(ours: ["Bytes", "JSON", "Messaging", "CEL", "ChangeCapture"], others: ["Yams"], pure: true),

        "WebPages": Target(pure: true),

        "Reactor": Target(
            ours: ["Bytes", "Linux"], others: ["Synchronization"], locks: "a mailbox: once for a batch posted, once for all taken in a turn"
        ),

        "Telemetry": Target(
            ours: ["JSON", "Messaging", "Linux"], others: ["Logging", "Synchronization"],
            blocks: "the log's own thread; the thread that ends the log joins it",
            locks: "counters by label: refusals and failures; a log line"),
        "Configuration": Target(ours: ["Bytes", "Pacing", "Messaging"], others: ["Yams"], pure: true),
        "StoreAPI": Target(ours: ["Messaging"]),
        "Bus": Target(ours: ["Bytes", "Messaging", "Linux"], locks: "who listens: once for a batch published"),
        "BusEngines": Target(
            ours: ["Bus", "Messaging", "Pacing", "Configuration", "Telemetry", "Reactor", "Linux", "Kafka", "Redis"], others: ["Logging"],
            blocks: "the search for the topic's own thread; the command line's check; the thread that stops the bus joins it",
            locks: "start and stop; what was heard lately, once for a batch; the health"),

        "Store": Target(
            ours: ["Bytes", "Pacing", "JSON", "Messaging", "StoreAPI", "Bus", "Telemetry", "Reactor", "Linux", "Postgres"],
            others: ["Logging", "Synchronization"], blocks: "the migration's own thread; the thread that stops the store joins it",
            locks: "start and stop"),
        "Intake": Target(
            ours: [
                "Bytes", "Pacing", "JSON", "Messaging", "ChangeCapture", "Rules", "StoreAPI", "Telemetry", "Reactor", "Linux", "Kafka",
            ], others: ["Logging"],
            blocks:
                "the intake's own thread, when it reads the rules file, and when it leaves its group; the thread that stops the intake joins it"
        ),
        "KeySource": Target(
            ours: ["Pacing", "Auth", "Configuration", "Telemetry", "Reactor", "Linux", "Curl"], others: ["Logging"],
            blocks: "the keys' own thread; the thread that stops the feed joins it"),

        "Sessions": Target(
            ours: ["Bytes", "Pacing", "JSON", "Auth", "Messaging", "StoreAPI", "Bus", "Telemetry", "Reactor", "Linux"],
            others: ["Logging", "Synchronization"], locks: "new keys and the server's controls, once a turn"),
        "Transports": Target(
            ours: [
                "Bytes", "Pacing", "JSON", "HTTP", "WSProtocol", "Zlib", "Auth", "Messaging", "Sessions", "Telemetry", "Reactor", "Linux",
            ], others: ["Logging"]),

        "Embedded": Target(
            ours: ["Bytes", "Auth", "Configuration", "Linux", "Postgres", "Kafka"], others: ["Logging"],
            blocks: "the thread that starts and stops, and the one that watches PostgreSQL",
            locks: "start, stop, and the end of the private PostgreSQL"),
        "HubClient": Target(
            ours: [
                "Bytes", "Pacing", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Configuration", "ChangeCapture", "Rules", "Store",
                "Intake",
                "KeySource",
                "BusEngines", "Embedded", "Linux", "Kafka", "Redis", "Postgres", "Curl",
            ], blocks: "the command line"),
        "Hub": Target(
            ours: [
                "Pacing", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Configuration", "Telemetry", "StoreAPI", "Store", "Bus",
                "BusEngines",
                "Intake", "KeySource", "Sessions", "Transports", "Embedded", "WebPages", "Reactor", "Linux", "Kafka", "Redis", "Curl",
            ], others: ["Logging", "Synchronization"], blocks: "the thread that starts and stops",
            locks: "a question of /readyz, the demo's publish button, the start of a loop"),
        "HubMain": Target(
            ours: ["Hub", "HubClient", "Embedded", "Configuration", "Rules", "Store", "Telemetry", "Linux"],
            others: ["ArgumentParser", "Logging"],
            blocks: "the command line"),
    ])

    /// Words a type or a file may not be named with: they say that somebody did not know what the thing is.
    static let emptyWords: Set<String> = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Base", "Info", "Processor",
    ]

    /// Files that handle pointers outside the wrappers of C libraries, and why they must.
    static let exceptions = [
        "Tests/Fuzz/fuzz/Entry.swift": "libFuzzer calls a C function with a pointer and a count",
        "Tests/TestKit/PostgresCluster.swift": "ends its server when the test process is gone, by a pipe the kernel closes",
        "Tests/TestKit/Exchange.swift": "waits for a libpq descriptor without an event loop",
    ]

    static let longestFileLines = 400

    /// What makes its thread wait: words, or runs of words and signs.
    static let blockingCalls: [[String]] = [
        ["BlockingConnection"], ["HTTPClient"], ["ClusterMetadata"], ["Migrator"], ["Names", "."], ["Files", "."], ["Process", "."],
        ["Thread", ".", "pause"], [".", "join", "(", ")"], ["Socket", ".", "wait"], ["Socket", ".", "connect"],
        [".", "flush", "(", "within"], [".", "close", "(", "committing"],
    ]

    /// Files that ask for memory by a number, and whose number it is. Never a number that a peer wrote.
    static let sizedAllocations = [
        "Sources/Bytes/Base64.swift": "of a text that is here: three quarters of it",
        "Sources/HTTP/HTTPHeaders.swift": "a constant",
        "Sources/JSON/JSONDocument.swift": "two dozen entries",
        "Sources/JSON/JSONSlice.swift": "of a string that is here",
        "Sources/Bytes/Append.swift": "of bytes that are here",
        "Sources/JSON/JSONWriter.swift": "of twenty digits",
        "Sources/WSProtocol/Frames/FrameEncoder.swift": "of a payload that is here",
        "Sources/WSProtocol/Handshake/ServerHandshake.swift": "a constant",
        "Sources/Zlib/Deflater.swift": "half of the input that is here",
        "Sources/Zlib/Inflater.swift": "twice the input that is here, then twice what came out, to the limit",
        "Sources/Messaging/Protocol/MemberText.swift": "of members that are here",
        "Sources/Messaging/Session/Session.swift": "of channels asked for by a message that is here, to the limit",
        "Sources/Reactor/Backlog.swift": "of bytes that are here",
        "Sources/Reactor/ConnectionTable.swift": "the loop's receive buffer, a setting",
        "Sources/Reactor/TimerWheel.swift": "a constant",
        "Sources/BusEngines/EngineThread.swift": "a constant",
        "Sources/Store/StoreThread.swift": "of orders that are here",
        "Sources/Sessions/Transport.swift": "of an entry that is here, and a constant",
        "Sources/Sessions/Subscriptions.swift": "of channels that the store has named, to the limit",
        "Sources/Store/Operations/Acks.swift": "of orders that are here",
        "Sources/Store/Operations/CursorKeys.swift": "of orders that are here",
        "Sources/Store/Operations/Cursors.swift": "of orders that are here",
        "Sources/Store/Operations/Entries.swift": "of orders that are here",
        "Sources/Store/Operations/States.swift": "of orders that are here",
        "Sources/Store/Lane.swift": "a constant",
        "Sources/HubClient/TailRun.swift": "a constant",
    ]
}
