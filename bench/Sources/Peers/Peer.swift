public import Dialect
internal import Linux

/// A server of the comparison that is not the hub: how it is found, what it is, how it is started. Its configuration is in
/// `bench/peers/<name>`, whose `start PORT DIR [compressed]` becomes the server.
public struct Peer: Sendable, CustomStringConvertible {
    public let dialect: Dialect
    private let name: String
    private let peers: String

    /// nil: this dialect is spoken by a server that is started in another way.
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

    /// All that can be started from here.
    public static func all(bench: String) -> [Peer] { Dialect.allCases.compactMap { Peer($0, bench: bench) } }

    /// What would be measured, or why it cannot be.
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

    /// Starts it on a free port and waits until it takes connections.
    /// - Parameter processor: the one it may run on.
    public func start(compressed: Bool = false, processor: Int? = nil, within: Duration = .seconds(20)) throws(PeerFailure) -> RunningPeer {
        if compressed, !dialect.canCompress { throw PeerFailure("\(dialect.title) does not compress") }
        let folder = try ScratchFolder(name)
        do {
            // Most of them cannot be told to take a free port, so one is found for them; nobody else gets it in the moment between.
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
