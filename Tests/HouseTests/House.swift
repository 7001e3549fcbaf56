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
}
