public import Dialect
internal import Linux

/// A server of the comparison other than the hub: its version and how it is started. Its configuration is in `bench/peers/<name>`, and
/// the script `start PORT DIR [compressed]` there runs it in the foreground.
public struct Peer: Sendable, CustomStringConvertible {
    public let dialect: Dialect
    private let name: String
    private let peers: String

    /// nil: the server of this dialect is not started from bench/peers.
    /// - Parameter bench: the folder `bench` of the repository.
    public init?(_ dialect: Dialect, bench: String) {
        switch dialect {
        case .bareC: name = "bare-c"
        case .nodeWS: name = "node-ws"
        case .uWebSockets: name = "uwebsockets"
        case .socketify: name = "socketify"
        case .nchan: name = "nginx"
        case .nats: name = "nats"
        case .mosquitto: name = "mosquitto"
        case .hub, .hubEcho, .plain: return nil
        }
        self.dialect = dialect
        peers = bench + "/peers"
    }

    public var description: String { dialect.title }

    /// All servers that can be started from bench/peers.
    public static func all(bench: String) -> [Peer] { Dialect.allCases.compactMap { Peer($0, bench: bench) } }

    /// The version of the installed server. Throws the reason if it is not installed.
    public func version() throws(PeerFailure) -> String {
        let folder = try ScratchFolder(name)
        defer { folder.remove() }
        let output = folder.path + "/version"
        let status: Int32
        do {
            let descriptor = try Files.openAppending(output)
            defer { Socket.close(descriptor) }
            var options = Process.Options()
            options.output = descriptor
            status = try Process.run([peers + "/version", name], options)
        } catch {
            throw PeerFailure("\(dialect.title): \(error)")
        }
        let text = folder.text("version")
        guard status == 0 else { throw PeerFailure("\(dialect.title): \(text); `scripts/setup bench` installs it") }
        return text
    }

    /// Starts the server on a free port and waits until it accepts connections.
    /// - Parameter processor: the processor on which it may run.
    public func start(compressed: Bool = false, processor: Int? = nil, within: Duration = .seconds(20)) throws(PeerFailure) -> RunningPeer {
        if compressed, !dialect.canCompress { throw PeerFailure("\(dialect.title) does not compress") }
        let folder = try ScratchFolder(name)
        do {
            // Most servers cannot choose a free port themselves. Another process is unlikely to take this one before the server does.
            let probe = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
            let port = try Socket.localPort(probe)
            Socket.close(probe)
            let log = try Files.openAppending(folder.path + "/log")
            defer { Socket.close(log) }
            var options = Process.Options()
            options.output = log
            options.diesWithParent = true
            options.newGroup = true
            let pin = processor.map { ["taskset", "-c", "\($0)"] } ?? []
            let command = pin + [peers + "/\(name)/start", "\(port)", folder.path] + (compressed ? ["compressed"] : [])
            let running = RunningPeer(dialect, port: port, process: try Process.spawn(command, options), folder: folder)
            try running.awaitConnections(within)
            return running
        } catch let error as PeerFailure {
            throw error
        } catch {
            folder.remove()
            throw PeerFailure("\(dialect.title): \(error)")
        }
    }
}

public struct PeerFailure: Error, Equatable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
