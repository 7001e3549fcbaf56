public import Dialect
internal import Linux

/// A started server and its files. `stop` ends the server and removes the files.
public final class RunningPeer {
    public let dialect: Dialect
    public let port: UInt16
    private let process: Process
    private let folder: ScratchFolder
    private var hasEnded = false

    init(_ dialect: Dialect, port: UInt16, process: Process, folder: ScratchFolder) {
        self.dialect = dialect
        self.port = port
        self.process = process
        self.folder = folder
    }

    deinit { stop() }

    public var host: String { "127.0.0.1" }
    public var pid: Int32 { process.pid }

    /// The process and all that it started, because nginx serves from a worker process.
    public var pids: [Int32] {
        var found = [process.pid]
        var next = 0
        while next < found.count {
            let children = (try? Files.text("/proc/\(found[next])/task/\(found[next])/children")) ?? ""
            found += children.split(separator: " ").compactMap { Int32($0) }
            next += 1
        }
        return found
    }

    /// Ends the process group once, because the workers of a killed master process would keep running. Processes that do not end within
    /// five seconds are killed.
    public func stop() {
        guard !hasEnded else { return }
        hasEnded = true
        endGroup()
        folder.remove()
    }

    /// The process leads its own process group, which exists as long as any of its members.
    private func endGroup() {
        let killTime = MonotonicInstant.now + .seconds(5)
        let end = killTime + .seconds(5)
        Process.kill(-process.pid, .terminate)
        while (try? process.exitStatus()) == .some(nil) || Process.exists(-process.pid) {
            let now = MonotonicInstant.now
            if now > end { return }
            if now > killTime { Process.kill(-process.pid, .kill) }
            Thread.pause(.milliseconds(10))
        }
    }

    func awaitConnections(_ within: Duration) throws(PeerFailure) {
        let deadline = MonotonicInstant.now + within
        while true {
            if let connection = try? Socket.connect(host: host, port: port, timeout: .milliseconds(200)) {
                Socket.close(connection)
                return
            }
            if let status = try? process.exitStatus() {
                let words = folder.text("log")
                stop()
                throw PeerFailure("\(dialect.title) ended with code \(status): \(words.suffix(500))")
            }
            guard MonotonicInstant.now < deadline else {
                stop()
                throw PeerFailure("\(dialect.title) took no connection within \(within)")
            }
            Thread.pause(.milliseconds(10))
        }
    }
}

/// A new folder below `/tmp` that a server can still access after it has given up root privileges.
final class ScratchFolder {
    let path: String

    init(_ name: String) throws(PeerFailure) {
        do {
            let mark = try Random.bytes(6).map { String($0, radix: 16) }.joined()
            path = "/tmp/hub-bench-\(name)-\(mark)"
            try Files.makeDirectory(path)
        } catch {
            throw PeerFailure("\(error)")
        }
    }

    func text(_ file: String) -> String {
        let text = (try? Files.text("\(path)/\(file)")) ?? ""
        return text.split(separator: "\n").joined(separator: "\n")
    }

    func remove() { _ = try? Process.run(["rm", "-rf", path]) }
}
