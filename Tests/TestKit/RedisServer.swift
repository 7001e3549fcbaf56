import Linux

/// A Redis server of the tests' own, on a free port of loopback, that stores nothing. Ends with the test process, however that ends.
public final class RedisServer: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    public let port: Int32
    private let directory: String
    private let options: String
    private let leash: Int32

    /// - Parameter options: of redis-server, besides.
    public init(_ options: String = "") throws {
        self.options = options
        let probe = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        port = Int32(try Socket.localPort(probe))
        Socket.close(probe)
        directory = "/tmp/hub-test-redis-\(Process.id)-\(UInt32.random(in: 0...(.max)))"
        try Self.run("mkdir -m 700 \(directory) && mkfifo \(directory)/leash")
        // Reads a pipe whose other end only this process holds: when that is gone, so goes the server.
        var apart = Process.Options()
        apart.newGroup = true
        let stop = "redis-cli -p \(port) shutdown nosave; kill -9 $(cat \(directory)/pid)"
        _ = try Process.spawn(["sh", "-c", "(cat \(directory)/leash; \(stop); rm -rf \(directory)) >/dev/null 2>&1 </dev/null"], apart)
        leash = try Files.openAppending(directory + "/leash")
        try start()
    }

    deinit { Socket.close(leash) }

    public var url: String { "redis://127.0.0.1:\(port)" }

    public func start() throws {
        try Self.run(
            "redis-server --port \(port) --bind 127.0.0.1 --dir \(directory) --pidfile \(directory)/pid --daemonize yes --save '' \(options)"
                + " && for i in $(seq 200); do redis-cli -p \(port) ping && break; sleep 0.05; done")
    }

    /// As a crash.
    public func kill() throws {
        try Self.run("kill -9 $(cat \(directory)/pid); while kill -0 $(cat \(directory)/pid); do sleep 0.02; done; true")
    }

    /// Sends a command, as any client of the server may.
    public func tell(_ command: String) throws { try Self.run("redis-cli -p \(port) \(command)") }

    private static func run(_ command: String) throws {
        let status = try Process.run(["sh", "-c", "cd /tmp && (\(command)) >/dev/null 2>&1 </dev/null"])
        guard status == 0 else { throw Failure(description: "\(command) ended with \(status)") }
    }
}
