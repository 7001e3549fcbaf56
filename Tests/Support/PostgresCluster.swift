import Foundation
import Postgres
import Synchronization

/// A PostgreSQL server of the tests' own: a throw-away cluster behind a Unix socket, as user `postgres` when the tests
/// run as root (the server refuses to be root). Ends with the test process, however that ends.
public final class PostgresCluster: Sendable {
    /// One for all tests that do not stop their server. Each takes a database of its own.
    public static let shared = Result { try PostgresCluster() }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let directory: String
    private let leash: Int32
    private let databases = Atomic<Int>(0)

    public init() throws {
        var template = Array("/tmp/hub-test-postgres-XXXXXX".utf8CString)
        guard let made = unsafe mkdtemp(&template) else { throw Failure(description: "mkdtemp: \(errno)") }
        directory = unsafe String(cString: made)
        var ends: [Int32] = [-1, -1]
        leash = try Self.spawning.withLock { _ in
            guard unsafe pipe(&ends) == 0 else { throw Failure(description: "pipe: \(errno)") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return ends[1]
        }
        if geteuid() == 0 { try Self.run("chown", "postgres", directory) }
        try asOwner(
            "\(Self.binaries)/initdb", "-D", directory + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
            "--no-sync")
        try start()
        // Reads the pipe whose other end only this process holds: when that is gone, so goes the cluster.
        let stop = (Self.ownerPrefix + ["\(Self.binaries)/pg_ctl", "-D", directory + "/data", "-m", "immediate", "stop"]).joined(
            separator: " ")
        _ = try Self.spawn(
            ["sh", "-c", "trap '' INT TERM HUP; cat; \(stop); rm -rf \(directory)"], input: ends[0])
        close(ends[0])
    }

    deinit { close(leash) }

    public func start() throws {
        try asOwner(
            "\(Self.binaries)/pg_ctl", "-D", directory + "/data", "-l", directory + "/log", "-w", "-t", "60", "-o",
            "-c listen_addresses= -c unix_socket_directories=\(directory) -c fsync=off -c max_connections=400 -c jit=off", "start")
    }

    /// - Parameter mode: pg_ctl's `smart`, `fast`, or `immediate` (as a crash: nothing is flushed or said).
    public func stop(_ mode: String) throws {
        try asOwner("\(Self.binaries)/pg_ctl", "-D", directory + "/data", "-w", "-m", mode, "stop")
    }

    /// The address of a database, for libpq.
    public func address(_ database: String = "postgres") -> String {
        "host=\(directory) user=postgres dbname=\(database)"
    }

    /// A new, empty database.
    public func makeDatabase(_ options: String = "") throws -> String {
        let name = "test_\(databases.wrappingAdd(1, ordering: .relaxed).newValue)"
        try BlockingConnection(address(), applicationName: "tests").execute("create database \(name) \(options)")
        return address(name)
    }

    /// So that no child is born between the making of a pipe and the mark that children do not get it: another
    /// cluster's watchdog with our end of the leash would keep both alive.
    private static let spawning = Mutex(())

    private static let binaries = "/usr/lib/postgresql/15/bin"
    private static var ownerPrefix: [String] { geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : [] }

    private func asOwner(_ command: String...) throws { try Self.run(Self.ownerPrefix + command) }
    private static func run(_ command: String...) throws { try run(command) }

    private static func run(_ command: [String]) throws {
        let child = try spawn(command, input: nil)
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { throw Failure(description: "\(command.joined(separator: " ")) ended with \(status)") }
    }

    /// Not Foundation's `Process`: that holds a child to be running as long as any descendant, such as the server that
    /// pg_ctl leaves behind, has the descriptors it was given.
    private static func spawn(_ command: [String], input: Int32?) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        for output: Int32 in [1, 2] { unsafe posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0) }
        var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failure = spawning.withLock { _ in unsafe posix_spawnp(&child, command[0], &actions, nil, &arguments, environ) }
        guard failure == 0 else { throw Failure(description: "\(command[0]): \(failure)") }
        return child
    }
}
