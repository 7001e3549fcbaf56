// swift-tools-version: 6.2
import PackageDescription

// A package of its own, for a fuzzer's main function is libFuzzer's: it links only with --sanitize=fuzzer. See ./run.
let package = Package(
    name: "fuzz",
    dependencies: [.package(name: "hub", path: "../..")],
    targets: [
        .executableTarget(
            name: "fuzz", dependencies: [.product(name: "FuzzBodies", package: "hub")], path: "fuzz",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])])
    ]
)
