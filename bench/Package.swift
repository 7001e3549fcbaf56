// swift-tools-version: 6.2
import PackageDescription

// A separate package, so that building the hub does not build the benchmarks. It imports the hub's own targets.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let parts = Target.Dependency.product(name: "BenchParts", package: "hub")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "hub-bench",
    dependencies: [
        .package(name: "hub", path: ".."),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // The results of a run, and their reports: text, JSON, one HTML page.
        .target(
            name: "Report", dependencies: [.product(name: "Histogram", package: "hdrhistogram-swift")], swiftSettings: house),
        .testTarget(name: "ReportTests", dependencies: ["Report"], swiftSettings: house),

        // The protocol of each server of the comparison. Does no I/O.
        .target(name: "Dialect", swiftSettings: house),
        .testTarget(name: "DialectTests", dependencies: ["Dialect", parts], swiftSettings: house),

        // `bench-report`: joins the JSON of several runs in one report.
        .executableTarget(name: "bench-report", dependencies: [arguments, "Report"], path: "Sources/ReportCommand", swiftSettings: house),

        // `micro-bench`: the inner operations, each with a yardstick of known cost.
        .executableTarget(name: "micro-bench", dependencies: [parts, arguments, "Report"], path: "Sources/Micro", swiftSettings: house),

        // The load generator: many client sockets on one loop, the worker processes, and the measurement of the server.
        .target(name: "Load", dependencies: [parts, "Report", "Dialect", "Peers"], swiftSettings: house),
        .testTarget(name: "LoadTests", dependencies: ["Load", "Report", "Dialect", parts], swiftSettings: house),
        .executableTarget(
            name: "hub-bench", dependencies: ["Load", "Compare", "Dialect", "Peers", "Report", parts, arguments], path: "Sources/HubBench",
            swiftSettings: house),

        .testTarget(name: "HubBenchTests", dependencies: ["hub-bench", "Load", "Dialect", arguments], swiftSettings: house),

        // The other servers of the comparison, which are started from bench/peers.
        .target(name: "Peers", dependencies: ["Dialect", parts], swiftSettings: house),
        .testTarget(name: "PeersTests", dependencies: ["Peers", "Dialect", parts], swiftSettings: house),

        // The order of the measurements, and the comparisons between servers. Does no I/O.
        .target(name: "Compare", dependencies: ["Dialect", "Report"], swiftSettings: house),
        .testTarget(name: "CompareTests", dependencies: ["Compare", "Dialect", "Report"], swiftSettings: house),

        // `reactor-bench`: the reactor for the comparison with bare C in `bench/run`.
        .executableTarget(name: "reactor-bench", dependencies: [parts], path: "Sources/ReactorBench", swiftSettings: house),
    ]
)
