import Auth
import Foundation
import Linux
import Testing

@testable import KeySource

/// What a feed has published, and a way to wait for it.
final class HeardKeys: Sendable {
    private let sets = Locked<[KeySet]>([])
    private let starts = Locked<[Duration]>([])

    func hear(_ news: KeyNews) {
        switch news {
        case .keys(let keys, let asOf):
            starts.withLock { $0.append(asOf) }
            sets.withLock { $0.append(keys) }
        case .tooOld: sets.withLock { $0.append(.empty) }
        }
    }

    /// When the fetch of the newest set began.
    var asOf: Duration? { starts.withLock { $0.last } }
    var last: KeySet? { sets.withLock { $0.last } }
    var count: Int { sets.withLock { $0.count } }

    /// The newest set, once it is as wanted.
    func wait(until isWanted: (KeySet) -> Bool, sourceLocation: SourceLocation = #_sourceLocation) throws -> KeySet {
        try Self.wait(until: { last.map(isWanted) ?? false }, sourceLocation: sourceLocation)
        return try #require(last)
    }

    /// Yields until something is so; 20 s are for a machine that compiles meanwhile.
    static func wait(until isSo: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(20)
        let pause = DispatchSemaphore(value: 0)
        while !isSo() {
            try #require(clock.now < deadline, "waited in vain", sourceLocation: sourceLocation)
            _ = pause.wait(timeout: .now() + .milliseconds(5))
        }
    }
}

/// A folder with one key file, replaced whole so that no reader sees half of it.
final class KeyFolder: Sendable {
    let root = FileManager.default.temporaryDirectory.appending(path: "hub-keys-\(UUID().uuidString)")
    var path: String { root.appending(path: "jwks.json").path }

    init() throws { try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true) }

    deinit {
        // Nothing but a leftover in /tmp would come of a failure.
        _ = try? FileManager.default.removeItem(at: root)
    }

    func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path), options: .atomic) }
    func remove() throws { try FileManager.default.removeItem(atPath: path) }
}

/// Python's own file server over a folder, at a free port; ends with this.
final class FolderServer {
    let address: String
    private let process = Process()

    init(_ folder: KeyFolder) throws {
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder.root.path]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        var line = ""
        while !line.contains("\n") {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the server ended")
            line += String(decoding: more, as: UTF8.self)
        }
        // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
        let port = try #require(line.split(separator: " ").drop { $0 != "port" }.dropFirst().first)
        address = "http://127.0.0.1:\(port)/jwks.json"
    }

    deinit {
        // Not `terminate`: a child of a dispatch thread inherits its signal mask, and SIGTERM is blocked there.
        _ = kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
