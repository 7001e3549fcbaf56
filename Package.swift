// swift-tools-version: 6.2
import PackageDescription
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("MemberImportVisibility"),
]
let package = Package(name: "rt", targets: [
    .target(name: "CLinux"),
    .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: house),
    .target(name: "Reactor", dependencies: ["Linux"], swiftSettings: house),
    .executableTarget(name: "reactor-bench", dependencies: ["Reactor", "Linux"], path: "Sources/ReactorBench", swiftSettings: house),
    .testTarget(name: "ReactorTests", dependencies: ["Reactor", "Linux"], swiftSettings: house),
])
