import Bytes
import Linux
import Logging
import Postgres

/// The private PostgreSQL as a child process. A thread watches the process and restarts it after a crash.
///
/// The child has its own process group, so that Ctrl-C in a terminal reaches only the hub, which then stops the server in order.
final class PostgresServer: Sendable {
    let databaseURL: String
    /// The address for programs that cannot use the socket.
    let networkURL: String
    private let folder: PostgresFolder
    private let log: Logger
    private let state = Locked(State())
    /// Becomes readable when the watching thread has ended.
    private let ended: WakeDescriptor
    private let stopping: WakeDescriptor

    private struct State {
        var server: Process?
        var isStopping = false
        var watcher: Thread?
    }

    private static let startLimit: Duration = .seconds(60)
    private static let stopLimit: Duration = .seconds(15)
    private static let lookEvery: Duration = .milliseconds(10)

    init(in folder: String, log: Logger) throws(EmbeddedFailure) {
        let folder = try PostgresFolder(in: folder)
        self.folder = folder
        self.log = log
        (ended, stopping) = try EmbeddedFailure.during("starting the database") { () throws(SystemError) in
            (try WakeDescriptor(), try WakeDescriptor())
        }
        try Self.endLeftovers(of: folder, log)
        let (port, socket) = try EmbeddedFailure.during("choosing the database's port") { () throws(SystemError) in
            let port = try folder.choosePort()
            return (port, try folder.socketFolder(port: port))
        }
        try EmbeddedFailure.during("writing the database's settings") { () throws(SystemError) in
            try folder.write(PostgresSettings(port: port, socketFolder: socket))
        }
        let login = "\(PostgresFolder.user):\(folder.password)@"
        databaseURL = "postgresql://\(login)/\(PostgresFolder.database)?host=\(Self.percentEncoded(socket))&port=\(port)"
        networkURL = "postgresql://\(login)127.0.0.1:\(port)/\(PostgresFolder.database)"

        let server = try spawn()
        state.withLock { $0.server = server }
        do throws(EmbeddedFailure) {
            try waitUntilReady(server)
            try makeDatabase()
            let watcher = try EmbeddedFailure.during("watching the database") { () throws(SystemError) in
                try Thread.spawn(name: "postgres-watch") { [self] in watch(server) }
            }
            state.withLock { $0.watcher = watcher }
        } catch {
            server.kill(.interrupt)
            _ = try? server.wait()
            throw error
        }
    }

    /// Shuts the server down, so that committed data is on disk, and waits for its end.
    func stop() {
        let server = state.withLock { state -> Process? in
            state.isStopping = true
            return state.server
        }
        stopping.signal()
        server?.kill(.interrupt)
        if (try? Socket.wait(ended.descriptor, readable: true, timeout: Self.stopLimit)) != true {
            log.warning("embedded database does not stop", metadata: ["process": "\(server?.pid ?? 0)"])
            state.withLock { $0.server }?.kill(.kill)
            guard (try? Socket.wait(ended.descriptor, readable: true, timeout: Self.stopLimit)) == true else { return }
        }
        let watcher = state.withLock { state -> Thread? in
            defer { state.watcher = nil }
            return state.watcher
        }
        watcher?.join()
    }

    // MARK: Starting

    private func spawn() throws(EmbeddedFailure) -> Process {
        try EmbeddedFailure.during("starting the database") { () throws(SystemError) in
            var options = Process.Options()
            options.environment = PostgresPrograms.environment
            options.newGroup = true
            let output = try Files.openAppending(folder.logPath)
            defer { Socket.close(output) }
            options.output = output
            return try Process.spawn(folder.programs.command("postgres", ["-D", folder.data]), options)
        }
    }

    private func waitUntilReady(_ server: Process) throws(EmbeddedFailure) {
        let deadline = MonotonicInstant.now + Self.startLimit
        while folder.postmaster.map({ !$0.isReady || $0.process != server.pid }) ?? true {
            let status = try EmbeddedFailure.during("starting the database") { () throws(SystemError) in try server.exitStatus() }
            if let status { throw .failed(step: "the database ended with \(status)", reason: "see \(folder.logPath)") }
            if MonotonicInstant.now > deadline { throw .failed(step: "the database does not start", reason: "see \(folder.logPath)") }
            pause(Self.lookEvery)
        }
    }

    private func makeDatabase() throws(EmbeddedFailure) {
        do throws(PostgresError) {
            let connection = try BlockingConnection(
                databaseURL.replacing("/\(PostgresFolder.database)?", with: "/postgres?"), applicationName: "hub")
            let known = try connection.execute("SELECT 1 FROM pg_database WHERE datname = '\(PostgresFolder.database)'")
            if known.isEmpty { try connection.execute("CREATE DATABASE \(PostgresFolder.database)") }
        } catch {
            throw .failed(step: "making the hub's database", reason: "\(error)")
        }
    }

    // MARK: Watching

    /// Runs on its own thread until `stop` ends the server.
    private func watch(_ first: Process) {
        defer { ended.signal() }
        var server = first
        var failures = 0
        while true {
            let status = (try? server.wait()) ?? -1
            if state.withLock({ $0.isStopping }) { return }
            log.error("embedded database ended", metadata: ["status": "\(status)", "log": "\(folder.logPath)"])
            guard let next = startAgain(&failures) else { return }
            server = next
        }
    }

    /// The new process; nil when `stop` was called in the meantime.
    private func startAgain(_ failures: inout Int) -> Process? {
        while true {
            pause(.milliseconds(min(5000, 100 << min(failures, 6))))
            let isStopping = state.withLock { $0.isStopping }
            if isStopping { return nil }
            do throws(EmbeddedFailure) {
                let server = try spawn()
                // `stop` may have run before this point, and would then have signalled only the old process.
                let isStopping = state.withLock { state -> Bool in
                    state.server = server
                    return state.isStopping
                }
                if isStopping { server.kill(.interrupt) }
                try waitUntilReady(server)
                log.notice("embedded database started again")
                failures = 0
                return server
            } catch {
                failures += 1
                log.error("embedded database does not start", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Waits for `duration` and returns early when `stop` is called.
    private func pause(_ duration: Duration) {
        _ = try? Socket.wait(stopping.descriptor, readable: true, timeout: duration)
    }

    // MARK: Leftovers

    /// Stops a server that a killed hub left running in the folder, or removes the file of a dead one.
    /// The lock on the data folder guarantees that no other hub uses the server.
    private static func endLeftovers(of folder: PostgresFolder, _ log: Logger) throws(EmbeddedFailure) {
        guard let left = folder.postmaster else { return }
        guard isServer(left.process, of: folder.data) else {
            try EmbeddedFailure.during("removing what an earlier run left") { () throws(SystemError) in
                try Files.remove("\(folder.data)/\(PostmasterFile.fileName)")
            }
            return
        }
        log.notice("stopping the database that an earlier hub left running", metadata: ["process": "\(left.process)"])
        let arguments = ["stop", "-D", folder.data, "-w", "-t", "15", "-s", "-m"]
        let status = try EmbeddedFailure.during("stopping the database of an earlier run") { () throws(SystemError) -> Int32 in
            var options = Process.Options()
            options.environment = PostgresPrograms.environment
            if try Process.run(folder.programs.command("pg_ctl", arguments + ["fast"]), options) == 0 { return 0 }
            return try Process.run(folder.programs.command("pg_ctl", arguments + ["immediate"]), options)
        }
        guard status == 0 else {
            throw .failed(step: "stopping the database of an earlier run", reason: "process \(left.process) does not end")
        }
    }

    /// Checks the command line, because another program may have received the same process id.
    private static func isServer(_ process: Int32, of data: String) -> Bool {
        guard Process.exists(process), let words = try? Files.text("/proc/\(process)/cmdline") else { return false }
        return words.split(separator: "\0").contains { $0 == data }
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            let scalar = Unicode.Scalar(byte)
            let isPlain = scalar.properties.isAlphabetic && byte < 0x80 || (0x30...0x39).contains(byte) || "-._~".utf8.contains(byte)
            return isPlain ? String(scalar) : "%" + byte.hexDigits.uppercased()
        }.joined()
    }
}
