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
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: house)
}

let package = Package(
    name: "hub",
    products: [
        .executable(name: "hub", targets: ["HubMain"]),
        .library(name: "FuzzBodies", targets: ["FuzzBodies"]),
        .library(name: "HubCore", targets: ["JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Reactor", "Hub"]),
        .library(
            name: "BenchParts",
            targets: ["Linux", "Zlib", "OpenSSL", "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Reactor", "Kafka", "Postgres"]),
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
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        // The homes of the C libraries: the only targets that may say `unsafe`.
        module("Linux", ["CLinux"]),
        module("Zlib", ["CZlib"]),
        module("OpenSSL", ["COpenSSL"]),
        module("Postgres", ["CPostgres"]),
        module("Kafka", ["CRdkafka"]),
        module("Curl", ["CCurl"]),

        // Pure: no I/O, no clock, no randomness of their own.
        module("JSON"),
        module("HTTP"),
        module("WSProtocol", ["HTTP", "Zlib"]),
        module("Auth", ["OpenSSL", "JSON"]),
        module("Messaging", ["JSON"]),

        // The demo's files, inside the executable.
        module(
            "WebPages", path: "web",
            resources: [
                "index.html", "demo.css", "icon.svg", "texts.js", "hub-demo.js", "demo-language.js", "demo-person.js", "demo-standing.js",
                "hub-client.js", "hub-advice.js", "hub-channels.js", "hub-ladder.js", "hub-link.js", "hub-listeners.js", "hub-marks.js",
                "hub-outbox.js", "hub-timers.js", "hub-transports.js",
            ].map { .embedInCode($0) }),

        // Threads, sockets, timers.
        module("Reactor", ["Linux"]),

        // Everything joined.
        module(
            "Hub",
            [
                "JSON", "HTTP", "WSProtocol", "Auth", "Messaging", "Reactor", "Linux", "Postgres", "Kafka", "Curl",
                "WebPages", "Zlib", .product(name: "Logging", package: "swift-log"), .product(name: "Yams", package: "Yams"),
            ],
            resources: [
                .embedInCode("Store/Migrations/migration_0001.sql"), .embedInCode("Store/Migrations/migration_0002.sql"),
            ]),
        .executableTarget(
            name: "HubMain",
            dependencies: ["Hub", "Linux", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: house),

        // `make wycheproof VECTORS=DIR`: not a test suite, because its vectors are not in this repository.
        .executableTarget(name: "wycheproof", dependencies: ["Auth", "OpenSSL", "JSON"], path: "Tests/Wycheproof", swiftSettings: house),

        // What the fuzzers of Tests/Fuzz run, where the suites can replay their corpora through it.
        .target(
            name: "FuzzBodies", dependencies: ["HTTP", "WSProtocol", "Zlib", "Auth", "JSON", "OpenSSL", "Messaging"],
            path: "Tests/FuzzBodies", swiftSettings: house),

        suite("JSONTests", ["JSON", "FuzzBodies"]),
        suite("HTTPTests", ["HTTP", "FuzzBodies"]),
        suite("WSProtocolTests", ["WSProtocol", "HTTP", "Zlib", "FuzzBodies"]),
        suite("AuthTests", ["Auth", "OpenSSL", "JSON", "FuzzBodies"]),
        suite("CurlTests", ["Curl"], exclude: ["server.py"]),
        suite("MessagingTests", ["Messaging", "JSON", "FuzzBodies"]),
        suite("ReactorTests", ["Reactor", "Linux"]),
        // What tests of several targets start.
        .target(name: "Support", dependencies: ["Postgres", "Linux"], path: "Tests/Support", swiftSettings: house),
        suite("PostgresTests", ["Postgres", "Support"]),
        suite("KafkaTests", ["Kafka", "Linux"]),
        suite(
            "HubTests",
            [
                "Support", "Hub", "Messaging", "Postgres", "Kafka", "Reactor", "Linux", "Auth", "OpenSSL", "JSON", "WSProtocol", "HTTP",
                "Curl", .product(name: "Logging", package: "swift-log"),
            ]),
        suite("HouseTests", []),
    ]
)
