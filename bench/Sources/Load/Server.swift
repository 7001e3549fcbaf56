public import Dialect
import Foundation
import Linux
import Peers

/// Selects the server to measure and how it is started.
public struct ServerChoice: Sendable {
    public enum Kind: Sendable {
        /// Started by the bench: the hub with its own database and broker, or `hub echo`.
        case hub(executable: String)
        case hubEcho(executable: String)
        /// Another hub on the database and broker of an embedded one, whose data folder is `services`.
        case member(executable: String, services: String)
        /// One of bench/peers.
        case peer(Dialect)
        /// A server that is already running. `folder`: the data folder of an embedded hub, with its key and addresses.
        case running(Dialect, host: String, port: UInt16, pid: Int32?, folder: String?)
    }

    public var kind: Kind
    public var processor: Int? = 0
    public var loops = 1
    public var tokenKey = TokenKey.es256
    public var isCompressed = false
    /// The path at which every connection is upgraded, instead of the dialect's own path.
    public var path: String?
    /// Settings for the hub, as `key=value`.
    public var settings: [String] = []
    /// The folder `bench` of the repository.
    public var benchFolder = "bench"
    /// Connections that the hub's own PostgreSQL accepts; nil: as many as the hub sets.
    public var databaseConnections: Int?

    public init(_ kind: Kind) { self.kind = kind }

    public var dialect: Dialect {
        switch kind {
        case .hub, .member: .hub
        case .hubEcho: .hubEcho
        case .peer(let dialect): dialect
        case .running(let dialect, _, _, _, _): dialect
        }
    }
}

/// A server under test. Owns its process and its folder if the bench started it.
public final class Server {
    public let choice: ServerChoice
    public private(set) var host = "127.0.0.1"
    public private(set) var port: UInt16 = 0
    /// nil: the bench did not start the server, and its processor time is not reported.
    public private(set) var pid: Int32?
    /// The lines of `embedded.env`.
    private var facts: [String: String] = [:]
    private(set) var brokers: String?
    private(set) var databaseURL: String?
    private(set) var signer: SignerPlan?
    /// The time from its start until it reports that it is ready.
    public private(set) var readyAfter: Duration?
    private var process: Linux.Process?
    private var peer: RunningPeer?
    private var folder: String?
    private var ownsFolder = false

    public var dialect: Dialect { choice.dialect }
    var isHub: Bool { dialect == .hub || dialect == .hubEcho }

    public static func start(_ choice: ServerChoice) throws -> Server {
        let server = Server(choice)
        do { try server.start() } catch {
            server.stop()
            throw error
        }
        return server
    }

    private init(_ choice: ServerChoice) { self.choice = choice }

    deinit { stop() }

    private func start() throws {
        switch choice.kind {
        case .running(_, let host, let port, let pid, let folder):
            (self.host, self.port, self.pid) = (host, port, pid)
            if let folder { try readFacts(folder, key: try Files.text("\(folder)/signing-key.pem")) }
        case .hub(let executable): try startHub(executable)
        case .member(let executable, let services): try startMember(executable, services)
        case .hubEcho(let executable):
            let folder = try makeFolder()
            self.folder = folder
            port = try Self.freePort()
            try launch([executable, "echo", "--listen", "127.0.0.1:\(port)"] + settingArguments, in: folder)
            try awaitPort()
        case .peer(let dialect):
            guard let peer = Peer(dialect, bench: choice.benchFolder) else {
                throw LoadFailure("\(dialect.title) is not started from bench/peers")
            }
            let running = try peer.start(compressed: choice.isCompressed, processor: choice.processor)
            self.peer = running
            (port, pid) = (running.port, running.pid)
        }
    }

    private var settingArguments: [String] { ["--set", "loops.count=\(choice.loops)"] + choice.settings.flatMap { ["--set", $0] } }

    private func startHub(_ executable: String) throws {
        let folder = try makeFolder()
        self.folder = folder
        let key = try choice.tokenKey.pem()
        // An embedded hub uses a signing key that is already in its folder.
        try Files.write(Array(key.utf8), to: "\(folder)/signing-key.pem", mode: 0o600)
        try serveHub(executable, folder, listen: "127.0.0.1:0", key: key)
        guard let connections = choice.databaseConnections else { return }
        // PostgreSQL reads this file after all others, and the number of connections only when it starts.
        try end(.terminate)
        let output = try Files.openAppending("\(folder)/postgres/postgresql.auto.conf")
        defer { Socket.close(output) }
        try Console.write(Array("max_connections = \(connections)\n".utf8), to: output)
        _ = try? Files.remove("\(folder)/embedded.env")
        try serveHub(executable, folder, listen: "127.0.0.1:0", key: key)
    }

    private func startMember(_ executable: String, _ services: String) throws {
        let folder = try makeFolder()
        self.folder = folder
        try readFacts(services, key: try Files.text("\(services)/signing-key.pem"))
        port = try Self.freePort()
        let environment = facts.filter { $0.key != "HUB_URL" }.map { "\($0.key)=\($0.value)" }
        let begun = MonotonicInstant.now
        try launch(["env"] + environment + [executable, "serve", "--listen", "127.0.0.1:\(port)"] + settingArguments, in: folder)
        let ready = "ready http"
        try wait(within: .seconds(90), for: "the hub to be ready") { ((try? Files.text(log)) ?? "").contains(ready) }
        readyAfter = MonotonicInstant.now - begun
    }

    /// Sends a signal, by its name, to the process: KILL, STOP or CONT.
    func signal(_ name: String) throws {
        guard let pid else { return }
        _ = try Linux.Process.run(["kill", "-\(name)", "\(pid)"])
    }

    private func serveHub(_ executable: String, _ folder: String, listen: String, key: String) throws {
        let begun = MonotonicInstant.now
        try launch([executable, "serve", "--embedded", "--listen", listen, "--data", folder] + settingArguments, in: folder)
        try wait(within: .seconds(90), for: "the hub to be ready") { Files.kind("\(folder)/embedded.env") == .file }
        readyAfter = MonotonicInstant.now - begun
        try readFacts(folder, key: key)
    }

    /// Kills the hub (SIGKILL) and starts it again on the same data and port.
    func killAndRestart() throws {
        guard case .hub(let executable) = choice.kind, let process, let folder else {
            throw LoadFailure("only a hub that the bench started can be killed")
        }
        process.kill(.kill)
        _ = try process.wait()
        self.process = nil
        _ = try? Files.remove("\(folder)/embedded.env")
        try serveHub(executable, folder, listen: "127.0.0.1:\(port)", key: try Files.text("\(folder)/signing-key.pem"))
    }

    private func readFacts(_ folder: String, key: String) throws {
        facts = [:]
        for line in try Files.text("\(folder)/embedded.env").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = parts[1].trimmingCharacters(in: CharacterSet(charactersIn: "'")) }
        }
        guard let url = facts["HUB_URL"], let colon = url.lastIndex(of: ":"), let port = UInt16(url[url.index(after: colon)...]) else {
            throw LoadFailure("\(folder)/embedded.env does not name HUB_URL")
        }
        self.port = port
        brokers = facts["HUB_KAFKA_BROKERS"]
        databaseURL = facts["HUB_DATABASE_URL"]
        signer = SignerPlan(
            pem: key, issuer: "hub-development", audience: "hub", userPrefix: "bench-\(Linux.Process.id)-\(WallClock.now() % 1_000_000)-")
    }

    private func makeFolder() throws -> String {
        let path = "/tmp/hub-bench-\(Linux.Process.id)-\(MonotonicInstant.now.nanoseconds)"
        try Files.makeDirectory(path)
        ownsFolder = true
        return path
    }

    /// A port on which no process listens now. If another process takes it before the server does, which is unlikely, the start fails.
    private static func freePort() throws -> UInt16 {
        let fd = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        defer { Socket.close(fd) }
        return try Socket.localPort(fd)
    }

    private func launch(_ command: [String], in folder: String) throws {
        var options = Linux.Process.Options()
        options.newGroup = true
        options.diesWithParent = true
        let log = "\(folder)/server.log"
        let output = try Files.openAppending(log)
        defer { Socket.close(output) }
        options.output = output
        let process = try Linux.Process.spawn((choice.processor.map { ["taskset", "-c", String($0)] } ?? []) + command, options)
        self.process = process
        pid = process.pid
        self.log = log
    }

    private var log = ""

    private func awaitPort() throws {
        try wait(within: .seconds(20), for: "a listener on port \(port)") {
            guard let fd = try? Socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(1)) else { return false }
            Socket.close(fd)
            return true
        }
    }

    private func wait(within limit: Duration, for what: String, _ isThere: () -> Bool) throws {
        let deadline = MonotonicInstant.now + limit
        // The conductor, which handles signals later, does not exist yet.
        let signals = try Signals()
        while !isThere() {
            while let signal = signals.next() {
                if signal == .interrupt || signal == .terminate { throw LoadFailure("interrupted") }
            }
            let status = try process?.exitStatus()
            if let status {
                process = nil
                throw LoadFailure("the server ended with \(status) before it was ready:\n\(logTail)")
            }
            if MonotonicInstant.now > deadline { throw LoadFailure("waited \(limit) for \(what):\n\(logTail)") }
            Linux.Thread.pause(.milliseconds(5))
        }
    }

    private var logTail: String { ((try? Files.text(log)) ?? "").split(separator: "\n").suffix(12).joined(separator: "\n") }

    /// The processes whose time and memory count as the server's. The hub's PostgreSQL is not among them.
    var pids: [Int32] { pid.map { isHub ? [$0] : ProcessTimes.tree($0) } ?? [] }

    func times() -> ProcessTimes {
        ProcessTimes(pid.map { [$0] } ?? [], withChildren: !isHub, group: isHub ? ProcessTimes.hubGroup : { _ in "process" })
    }

    /// The processes of the hub's own PostgreSQL, and all others that the hub started.
    func childTimes() -> ProcessTimes? {
        guard isHub, let pid else { return nil }
        return ProcessTimes(ProcessTimes.tree(pid).filter { $0 != pid }, withChildren: false) { _ in "PostgreSQL" }
    }

    /// The data folder of a hub that the bench started with services of its own.
    public var dataFolder: String? { folder }

    /// Ends the process with this signal, and kills it with all its descendants after 30 s.
    private func end(_ signal: Signals.Signal) throws {
        guard let process else { return }
        process.kill(signal)
        let deadline = MonotonicInstant.now + .seconds(30)
        while (try? process.exitStatus()) == .some(.none) {
            if MonotonicInstant.now > deadline {
                for pid in ProcessTimes.tree(process.pid) { Linux.Process.kill(pid, .kill) }
                _ = try? process.wait()
                break
            }
            Linux.Thread.pause(.milliseconds(10))
        }
        self.process = nil
    }

    public func stop() {
        peer?.stop()
        peer = nil
        try? end(.interrupt)
        if ownsFolder, let folder { _ = try? Linux.Process.run(["rm", "-rf", folder]) }
        ownsFolder = false
    }
}
