// swift-tools-version: 6.2
import PackageDescription

// The layout is the architecture: an arrow here is an import there, and Tests/HouseTests fails when a file disagrees.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, resources: resources, swiftSettings: house)
}

func suite(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: ["HangGuard"] + dependencies, exclude: exclude, swiftSettings: house)
}

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "hub",
    products: [
        .executable(name: "hub", targets: ["HubMain"]),
        .library(name: "FuzzBodies", targets: ["FuzzBodies"]),
        .library(
            name: "BenchParts",
            targets: [
                "Linux", "Zlib", "OpenSSL", "Bytes", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Reactor", "Kafka", "Postgres",
            ]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries: one module each, imported by exactly one Swift target.
        .target(name: "CLinux"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CRdkafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        // The homes of the C libraries: the only targets that may say `unsafe`.
        module("Linux", ["CLinux"]),
        module("Zlib", ["CZlib"]),
        module("OpenSSL", ["COpenSSL"]),
        module("Postgres", ["CPostgres"]),
        module("Kafka", ["CRdkafka"]),
        module("Redis", ["CHiredis"]),
        module("Curl", ["CCurl"]),

        // Pure: no I/O, no clock, no randomness of their own.
        module("Bytes"),
        module("Pacing"),
        module("CEL", ["Bytes"]),
        module("JSON", ["Bytes"]),
        module("HTTP", ["Bytes"]),
        module("WSProtocol", ["Bytes", "HTTP", "Zlib"]),
        module("Auth", ["Bytes", "Pacing", "OpenSSL", "JSON"]),
        module("Messaging", ["Bytes", "JSON"]),
        module("ChangeCapture", ["Bytes", "JSON", "OpenSSL"]),
        module("Rules", ["Bytes", "JSON", "Messaging", "CEL", "ChangeCapture", .product(name: "Yams", package: "Yams")]),

        // The demo's files, inside the executable.
        module(
            "WebPages", path: "web",
            resources: [
                "index.html", "demo.css", "demo-person.css", "demo-notifications.css", "demo-conversation.css", "icon.svg", "texts.js",
                "hub-demo.js", "demo-conversation.js", "demo-language.js", "demo-lists.js", "demo-notifications.js", "demo-person.js",
                "demo-standing.js",
                "hub-client.js", "hub-advice.js", "hub-channels.js", "hub-ladder.js", "hub-link.js", "hub-listeners.js", "hub-marks.js",
                "hub-outbox.js", "hub-presence.js", "hub-surroundings.js", "hub-switches.js", "hub-timers.js",
                "hub-transports.js",
            ].map { .embedInCode($0) }),

        // Threads, sockets, timers.
        module("Reactor", ["Bytes", "Linux"]),

        // What the parts of the hub share.
        module("Telemetry", ["JSON", "Messaging", "Linux", logging]),
        module("Configuration", ["Bytes", "Pacing", "Messaging", .product(name: "Yams", package: "Yams")]),
        module("StoreAPI", ["Messaging"]),
        module("Bus", ["Bytes", "Messaging", "Linux"]),

        // Drivers of one dependency each.
        module(
            "BusEngines",
            ["Bus", "Messaging", "Pacing", "Configuration", "Telemetry", "Reactor", "Linux", "Kafka", "Redis", logging]),
        module(
            "Store", ["Bytes", "Pacing", "JSON", "Messaging", "StoreAPI", "Bus", "Telemetry", "Reactor", "Linux", "Postgres", logging],
            resources: [
                .embedInCode("Migrations/migration_0001.sql"), .embedInCode("Migrations/migration_0002.sql"),
                .embedInCode("Migrations/migration_0003.sql"), .embedInCode("Migrations/migration_0004.sql"),
                .embedInCode("Migrations/migration_0005.sql"), .embedInCode("Migrations/migration_0006.sql"),
                .embedInCode("Migrations/migration_0007.sql"), .embedInCode("Migrations/migration_0008.sql"),
                .embedInCode("Migrations/migration_0009.sql"), .embedInCode("Migrations/migration_0010.sql"),
                .embedInCode("Migrations/migration_0011.sql"), .embedInCode("Migrations/migration_0012.sql"),
                .embedInCode("Migrations/migration_0013.sql"), .embedInCode("Migrations/migration_0014.sql"),
                .embedInCode("Migrations/migration_0015.sql"),
            ]),
        module(
            "Intake",
            [
                "Bytes", "Pacing", "JSON", "Messaging", "ChangeCapture", "Rules", "StoreAPI", "Telemetry", "Reactor", "Linux", "Kafka",
                logging,
            ]),
        module("KeySource", ["Pacing", "Auth", "Configuration", "Telemetry", "Reactor", "Linux", "Curl", logging]),

        // The clients' side: sessions, and what carries their frames.
        module(
            "Sessions",
            ["Bytes", "Pacing", "JSON", "Auth", "Messaging", "StoreAPI", "Bus", "Telemetry", "Reactor", "Linux", logging]),
        module(
            "Transports",
            [
                "Bytes", "Pacing", "JSON", "HTTP", "WSProtocol", "Zlib", "Auth", "Messaging", "Sessions", "Telemetry", "Reactor", "Linux",
                logging,
            ]),

        // Everything a hub on one machine needs, and the programs around a hub.
        module("Embedded", ["Bytes", "Auth", "Configuration", "Linux", "Postgres", "Kafka", logging]),
        module(
            "HubClient",
            [
                "Bytes", "Pacing", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Configuration", "ChangeCapture", "Rules", "Store",
                "Intake",
                "KeySource", "BusEngines", "Embedded", "Linux", "Kafka", "Redis", "Postgres", "Curl",
            ]),

        // Everything joined.
        module(
            "Hub",
            [
                "Pacing", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Configuration", "Telemetry", "StoreAPI", "Store", "Bus",
                "BusEngines",
                "Intake", "KeySource", "Sessions", "Transports", "Embedded", "WebPages", "Reactor", "Linux", "Kafka", "Redis", "Curl",
                logging,
            ]),
        .executableTarget(
            name: "HubMain",
            dependencies: [
                "Hub", "HubClient", "Embedded", "Configuration", "Rules", "Store", "Telemetry", "Linux", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),

        // `make wycheproof VECTORS=DIR`: not a test suite, because its vectors are not in this repository.
        .executableTarget(
            name: "wycheproof", dependencies: ["Bytes", "Auth", "OpenSSL", "JSON"], path: "Tests/Wycheproof", swiftSettings: house),

        // What the fuzzers of Tests/Fuzz run, where the suites can replay their corpora through it.
        .target(
            name: "FuzzBodies",
            dependencies: ["Bytes", "HTTP", "WSProtocol", "Zlib", "Auth", "JSON", "OpenSSL", "Messaging", "ChangeCapture", "Bus"],
            path: "Tests/FuzzBodies", swiftSettings: house),

        // Ends a run of the tests that hangs, with the name of the test.
        .target(name: "HangGuard", dependencies: ["Linux"], path: "Tests/HangGuard", swiftSettings: house),

        // What tests of several targets use: a mock store and bus, seeded randomness, a PostgreSQL cluster of their own.
        .target(
            name: "TestKit",
            dependencies: ["Postgres", "Linux", "Messaging", "StoreAPI", "Bus", "Reactor", "Bytes", "JSON"], path: "Tests/TestKit",
            swiftSettings: house),

        suite("BytesTests", ["Bytes", "TestKit"]),
        suite("PacingTests", ["Pacing"]),
        suite("CELTests", ["CEL"]),
        suite("JSONTests", ["JSON", "Bytes", "FuzzBodies"]),
        suite("HTTPTests", ["HTTP", "FuzzBodies"]),
        suite("WSProtocolTests", ["WSProtocol", "HTTP", "Zlib", "Bytes", "FuzzBodies"]),
        suite("AuthTests", ["Auth", "OpenSSL", "JSON", "Bytes", "FuzzBodies"]),
        suite("CurlTests", ["Curl"], exclude: ["server.py"]),
        suite("MessagingTests", ["Messaging", "JSON", "Bytes", "FuzzBodies", "TestKit"]),
        suite("RulesTests", ["Rules", "ChangeCapture", "Messaging", "JSON"]),
        suite("ChangeCaptureTests", ["ChangeCapture", "JSON", "Bytes", "FuzzBodies", "TestKit"]),
        suite("BusTests", ["Bus", "Messaging", "Linux", "FuzzBodies", "TestKit"]),
        suite("ReactorTests", ["Reactor", "Linux"]),
        suite("PostgresTests", ["Postgres", "TestKit"]),
        suite("KafkaTests", ["Kafka", "Linux"]),
        suite("RedisTests", ["Redis", "Linux", "TestKit"]),
        suite(
            "BusEnginesTests",
            ["BusEngines", "Bus", "Configuration", "Telemetry", "Messaging", "Kafka", "Redis", "Linux", "TestKit", logging]),
        suite("TelemetryTests", ["Telemetry", "Linux", "Messaging", logging]),
        suite("ConfigurationTests", ["Configuration", "Bytes", "Messaging", "Linux", "TestKit"]),
        suite(
            "StoreTests",
            ["Store", "StoreAPI", "Bus", "Telemetry", "Pacing", "JSON", "Messaging", "Postgres", "Reactor", "Linux", "TestKit", logging]),
        suite(
            "IntakeTests",
            ["Intake", "ChangeCapture", "Rules", "StoreAPI", "Telemetry", "Messaging", "Kafka", "Linux", "Reactor", "TestKit", logging]),
        suite("KeySourceTests", ["KeySource", "Auth", "Configuration", "OpenSSL", "Curl", "Telemetry", "Linux", logging]),
        suite(
            "SessionsTests",
            [
                "Sessions", "StoreAPI", "Bus", "Telemetry", "Auth", "OpenSSL", "Messaging", "Pacing", "JSON", "Reactor", "Linux", "TestKit",
                logging,
            ]),
        suite(
            "TransportsTests",
            [
                "Transports", "Sessions", "StoreAPI", "Bus", "Telemetry", "Auth", "OpenSSL", "HTTP", "WSProtocol", "Messaging", "JSON",
                "Reactor", "Linux", "TestKit", logging,
            ]),
        suite("EmbeddedTests", ["Embedded", "Auth", "Configuration", "Kafka", "Postgres", "Linux", logging]),
        suite(
            "HubClientTests",
            [
                "HubClient", "Store", "Configuration", "Embedded", "Kafka", "Linux", "Messaging", "JSON", "HTTP", "WSProtocol",
                "ChangeCapture", "Rules",
            ]),
        suite(
            "HubTests",
            [
                "Hub", "Transports", "Sessions", "Store", "Intake", "Kafka", "StoreAPI", "Bus", "BusEngines", "Auth", "Configuration",
                "HTTP", "Pacing", "Messaging",
                "Telemetry", "Linux", "Reactor", "WSProtocol", "TestKit", logging,
            ]),
        suite("HouseTests", []),
    ]
)
