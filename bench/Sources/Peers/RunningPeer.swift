public import Dialect
internal import Linux

/// A server that was started, and its files. Owns both: `stop` ends the one and removes the others.
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

    /// The process and all that it started: nginx serves from a worker.
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

    /// Once. All that the process started ends with it: a master that is killed leaves its workers. What does not end within five seconds
    /// is killed.
    public func stop() {
        guard !hasEnded else { return }
        hasEnded = true
        endGroup()
        folder.remove()
    }

    /// The process leads a group of its own, which is there as long as one of its members is.
    private func endGroup() {
        let patience = MonotonicInstant.now + .seconds(5)
        let end = patience + .seconds(5)
        Process.kill(-process.pid, .terminate)
        while (try? process.exitStatus()) == .some(nil) || Process.exists(-process.pid) {
            let now = MonotonicInstant.now
            if now > end { return }
            if now > patience { Process.kill(-process.pid, .kill) }
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

/// A folder of its own below `/tmp`, that a server which gives up root's rights can still reach.
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
