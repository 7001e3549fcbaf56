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

        var mayImport: Set<String> { ours.union(others).union(owns.map { [$0] } ?? []) }
    }

    var targets: [String: Target]

    var cModules: Set<String> { Set(targets.values.compactMap(\.owns)) }

    static let hub = House(targets: [
        "Linux": Target(others: ["Glibc", "Synchronization"], owns: "CLinux"),
        "Zlib": Target(others: ["Glibc"], owns: "CZlib", pure: true),
        "OpenSSL": Target(others: ["Glibc"], owns: "COpenSSL", pure: true),
        "Postgres": Target(others: ["Glibc", "Synchronization"], owns: "CPostgres"),
        "Kafka": Target(others: ["Glibc", "Synchronization"], owns: "CRdkafka"),
        "Curl": Target(others: ["Glibc", "Synchronization"], owns: "CCurl"),

        "JSON": Target(pure: true),
        "HTTP": Target(pure: true),
        "WSProtocol": Target(ours: ["HTTP", "Zlib"], pure: true),
        "Auth": Target(ours: ["OpenSSL", "JSON"], pure: true),
        "Messaging": Target(ours: ["JSON"], pure: true),

        "WebPages": Target(pure: true),

        "Reactor": Target(ours: ["Linux"], others: ["Synchronization"]),

        "Hub": Target(
            ours: ["JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Reactor", "Linux", "Postgres", "Kafka", "Curl", "WebPages", "Zlib"],
            others: ["Logging", "Synchronization", "Yams"]),
        "HubMain": Target(ours: ["Hub", "Linux"], others: ["ArgumentParser"]),
    ])

    /// Words a type or a file may not be named with: they say that somebody did not know what the thing is.
    static let emptyWords: Set<String> = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Base", "Info", "Processor",
    ]

    /// Files that handle pointers outside the homes, and why they must.
    static let exceptions = [
        "Tests/Fuzz/fuzz/Entry.swift": "libFuzzer calls a C function with a pointer and a count",
        "Tests/Support/PostgresCluster.swift": "ends its server when the test process is gone, by a pipe the kernel closes",
        "Tests/Support/Exchange.swift": "waits for a libpq descriptor without an event loop",
    ]

    static let longestFileLines = 450

    /// What makes its thread wait: words, or runs of words and signs.
    static let blockingCalls: [[String]] = [
        ["BlockingConnection"], ["HTTPClient"], ["ClusterMetadata"], ["Migrator"], ["Names", "."], ["Files", "."], ["Process", "."],
        ["Thread", ".", "pause"], [".", "join", "(", ")"], ["Socket", ".", "wait"], ["Socket", ".", "connect"],
        [".", "flush", "(", "within"], [".", "close", "(", "committing"],
    ]

    /// Who may wait, by the beginning of the path, and on which thread. The event loops' code is nowhere among them.
    static let mayBlock = [
        "Sources/HubMain/": "the command line",
        "Sources/Hub/CommandLine/": "the command line",
        "Sources/Hub/Embedded/": "the thread that starts and stops, and the one that watches PostgreSQL",
        "Sources/Hub/Server/Server.swift": "the thread that starts and stops",
        "Sources/Hub/Server/EchoServer.swift": "the thread that starts and stops",
        "Sources/Hub/Server/ListenReport.swift": "the thread that starts",
        "Sources/Hub/Keys/": "the keys' own thread; whoever stops it joins it",
        "Sources/Hub/Intake/": "the intake's own thread, when it leaves its group; whoever stops it joins it",
        "Sources/Hub/Store/Migrator.swift": "a thread of its own",
        "Sources/Hub/Store/StoreThread.swift": "spawns that thread, and joins it when it has said its last word",
        "Sources/Hub/Store/Store.swift": "whoever stops the store joins its thread",
    ]

    /// Files with a lock, and how long it is taken for whom. Nothing on the way of a frame is among them but the mailbox, once a batch.
    static let locks = [
        "Sources/Linux/Locked.swift": "the lock itself",
        "Sources/Reactor/Mailbox.swift": "once for a batch that is posted, once for all that is taken in a turn",
        "Sources/Hub/Serving/LoopInbox.swift": "new keys and orders of the server, once a turn",
        "Sources/Hub/Metrics/Instruments.swift": "counters by label: refusals and failures",
        "Sources/Hub/Web/Health.swift": "a question of /readyz or /metrics",
        "Sources/Hub/Server/Demo.swift": "the demo's publish button",
        "Sources/Hub/Server/ListenReport.swift": "once, when a loop begins",
        "Sources/Hub/Store/Store.swift": "start and stop",
        "Sources/Hub/Embedded/PostgresServer.swift": "start, stop, and the end of the private PostgreSQL",
    ]

    /// Files that ask for memory by a number, and whose number it is. Never a number that a peer wrote.
    static let sizedAllocations = [
        "Sources/Auth/Base64URL.swift": "of a text that is here: three quarters of it",
        "Sources/HTTP/HTTPHeaders.swift": "a constant",
        "Sources/JSON/JSONSlice.swift": "of a string that is here",
        "Sources/JSON/JSONWriter.swift": "of a text that is here, or of twenty digits",
        "Sources/WSProtocol/Frames/FrameEncoder.swift": "of a payload that is here",
        "Sources/WSProtocol/Connection/WebSocketConnection.swift": "of bytes that are here",
        "Sources/WSProtocol/Handshake/ServerHandshake.swift": "a constant",
        "Sources/Zlib/Deflater.swift": "half of the input that is here",
        "Sources/Zlib/Inflater.swift": "twice the input that is here, then twice what came out, to the limit",
        "Sources/Messaging/Session/Session.swift": "of channels asked for by a message that is here, to the limit",
        "Sources/Reactor/Backlog.swift": "of bytes that are here",
        "Sources/Reactor/ConnectionTable.swift": "the loop's receive buffer, a setting",
        "Sources/Reactor/TimerWheel.swift": "a constant",
        "Sources/Hub/Store/StoreThread.swift": "of orders that are here",
        "Sources/Hub/Serving/SessionOutlet.swift": "of an entry that is here, and a constant",
        "Sources/Hub/Serving/ServingLoop.swift": "of bytes that are here",
        "Sources/Hub/Serving/SessionLoop+Connect.swift": "of channels that the store has named, to the limit",
        "Sources/Hub/Store/AckBatch.swift": "of orders that are here",
        "Sources/Hub/Store/CursorBatch.swift": "of orders that are here",
        "Sources/Hub/Store/StateBatch.swift": "of orders that are here",
        "Sources/Hub/Store/EntryBatch.swift": "of orders that are here",
        "Sources/Hub/CommandLine/TailRun.swift": "a constant",
    ]
}
