import Auth
import Configuration
import Curl
import Foundation
import HangGuard
import Linux
import Logging
import OpenSSL
import Telemetry
import Testing

@testable import KeySource

@Suite("The key feed", .guarded)
struct KeyFeedTests {
    let folder: KeyFolder
    let heard = HeardKeys()

    init() throws { folder = try KeyFolder() }

    func feed(_ location: KeyLocation, _ change: (inout JWKSSource.Settings) -> Void = { _ in }) throws -> KeyFeed {
        var settings = location.settings(refreshInterval: .seconds(3_600))
        settings.unknownKeySpacing = .milliseconds(1)
        settings.firstRetry = .milliseconds(20)
        settings.longestRetry = .milliseconds(50)
        change(&settings)
        return try KeyFeed(location, settings: settings, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { [heard] in
            heard.hear($0)
        }
    }

    static func verdict(_ keys: KeySet, _ signer: TokenSigner) throws -> Verdict {
        let principal = Principal(subject: "alice", expiresAt: 2_000)
        return TokenVerifier(policy: TokenPolicy(), keys: keys)
            .verify(try signer.token(for: principal, issuer: "i", audience: "a"), now: 1_000)
    }

    @Test("reads keys from a file, and again when the file changes")
    func file() throws {
        let first = try TokenSigner.generate()
        let second = try TokenSigner.generate()
        try folder.write(first.jwks)
        let feed = try feed(.init(folder.path)) { $0.refreshInterval = .milliseconds(20) }
        defer { feed.stop() }
        let keys = try heard.wait { $0 == (try? first.keySet()) }
        #expect(try Self.verdict(keys, first) == .accepted(Principal(subject: "alice", expiresAt: 2_000)))
        #expect(try Self.verdict(keys, second) == .unknownKey(kid: second.keyID))

        try folder.write(second.jwks)
        #expect(
            try Self.verdict(try heard.wait { $0 == (try? second.keySet()) }, second)
                == .accepted(Principal(subject: "alice", expiresAt: 2_000)))
        #expect(feed.metrics.keys.value == 1)
    }

    @Test("keeps the keys when their file is broken or removed, and starts without a file")
    func brokenFile() throws {
        let signer = try TokenSigner.generate()
        let feed = try feed(.file(folder.path)) { $0.refreshInterval = .milliseconds(20) }
        defer { feed.stop() }
        try folder.write(signer.jwks)
        _ = try heard.wait { $0 == (try? signer.keySet()) }
        #expect(feed.metrics.failures.values.map(\.label) == ["unreachable"] || feed.metrics.failures.values.isEmpty)

        for text in ["", "{\"keys\":[]}", "garbage", nil] {
            let failures = feed.metrics.failures.values.reduce(0) { $0 + $1.count }
            try text.map { try folder.write($0) } ?? folder.remove()
            try HeardKeys.wait { feed.metrics.failures.values.reduce(0) { $0 + $1.count } > failures }
        }
        #expect(heard.last == (try signer.keySet()))
        #expect(feed.metrics.keys.value == 1)
    }

    @Test("tells when the keys have grown too old, and gives them again when their file is back")
    func tooOld() throws {
        let signer = try TokenSigner.generate()
        try folder.write(signer.jwks)
        let feed = try feed(.init(folder.path)) {
            $0.refreshInterval = .milliseconds(20)
            $0.maximumStaleness = .milliseconds(200)
        }
        defer { feed.stop() }
        _ = try heard.wait { $0 == (try? signer.keySet()) }
        try folder.remove()
        _ = try heard.wait { $0 == .empty }
        #expect(feed.metrics.keys.value == 0)
        try folder.write(signer.jwks)
        _ = try heard.wait { $0 == (try? signer.keySet()) }
    }

    @Test("fetches from an address again when a token names an unknown key")
    func address() throws {
        let server = try FolderServer(folder)
        let first = try TokenSigner.generate()
        let second = try TokenSigner.generate()
        try folder.write(first.jwks)
        let feed = try feed(.init(server.address))
        defer { feed.stop() }
        _ = try heard.wait { $0 == (try? first.keySet()) }
        try folder.write(second.jwks)
        feed.request(second.keyID)
        _ = try heard.wait { $0 == (try? second.keySet()) }
        #expect(feed.metrics.questions.value == 1)

        let count = heard.count
        feed.request("nobody")
        try HeardKeys.wait { heard.count > count }
        #expect(heard.last == (try second.keySet()))
    }

    @Test("answers each question by a fetch that began after it, whatever was asked before")
    func eachQuestion() throws {
        let signer = try TokenSigner.generate()
        try folder.write(signer.jwks)
        let feed = try feed(.init(folder.path))
        defer { feed.stop() }
        _ = try heard.wait { $0 == (try? signer.keySet()) }
        for _ in 0..<2 {
            let asked = MonotonicInstant.now
            feed.request("nobody")
            try HeardKeys.wait { heard.asOf.map { $0 >= .nanoseconds(asked.nanoseconds) } ?? false }
        }
        #expect(feed.metrics.fetches.value == 3)
        #expect(heard.last == (try signer.keySet()))
    }

    @Test("counts the keys that were withdrawn")
    func withdrawn() throws {
        let (first, second) = (try TokenSigner.generate(), try TokenSigner.generate())
        try folder.write(first.jwks)
        let feed = try feed(.init(folder.path)) { $0.refreshInterval = .milliseconds(20) }
        defer { feed.stop() }
        _ = try heard.wait { $0 == (try? first.keySet()) }
        try folder.write(second.jwks)
        _ = try heard.wait { $0 == (try? second.keySet()) }
        #expect(feed.metrics.withdrawn.value == 1)
    }

    @Test("finds a change that has the same time and the same length as the one before")
    func sameTime() throws {
        let (first, second) = (try TokenSigner.generate(), try TokenSigner.generate())
        let reader = KeyReader(KeyLocation(folder.path), limits: FetchLimits())
        for signer in [first, second, first] {
            try folder.write(signer.jwks)
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1_000)], ofItemAtPath: folder.path)
            guard case .keys(let keys, _) = reader.read() else {
                Issue.record("no keys")
                return
            }
            #expect(try keys == signer.keySet())
        }
    }

    @Test("accepts no shared secret from an address, and no status but 200")
    func addressRefusals() throws {
        let server = try FolderServer(folder)
        let feed = try feed(.init(server.address))
        defer { feed.stop() }
        try HeardKeys.wait { feed.metrics.failures.values.contains { $0.label == "status" } }
        try folder.write(#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#)
        try HeardKeys.wait { feed.metrics.failures.values.contains { $0.label == "unusable" } }
        #expect(heard.count == 0)
    }

    @Test("stops at once in every state")
    func stops() throws {
        let feed = try feed(.init("http://127.0.0.1:1/"))
        for number in 0..<5_000 { feed.request("k\(number)") }
        feed.stop()
        #expect(heard.count == 0)
    }

    @Test("fetches over plain HTTP only from this machine, unless the configuration allows more")
    func plainHTTP() {
        let limits = { (place: String, isAllowed: Bool) in KeyLocation(place).limits(overPlainHTTP: isAllowed) }
        for place in ["http://127.0.0.1/jwks", "https://id.example/jwks", "http://id.example/jwks"] {
            #expect(limits(place, false).allowsPlainHTTP == !place.hasPrefix("http://id"))
            #expect(!limits(place, false).followsToPlainHTTP)
            #expect(limits(place, true) == FetchLimits())
        }
    }

    @Test("distinguishes an address from a file by its scheme")
    func locations() {
        #expect(KeyLocation("https://id.example/jwks") == .address("https://id.example/jwks"))
        #expect(KeyLocation("http://127.0.0.1/jwks") == .address("http://127.0.0.1/jwks"))
        #expect(KeyLocation("/etc/hub/jwks.json") == .file("/etc/hub/jwks.json"))
        #expect(KeyLocation("file:///etc/hub/jwks.json") == .file("file:///etc/hub/jwks.json"))
    }
}
