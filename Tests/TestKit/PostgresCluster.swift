import Linux
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
        directory = "/tmp/hub-test-postgres-\(Process.id)-\(UInt32.random(in: 0...(.max)))"
        try Self.run("mkdir -m 700 \(directory) && mkfifo \(directory)/leash")
        if Process.userID == 0 { try Self.run("chown postgres \(directory)") }
        try Self.asOwner("initdb -D \(directory)/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync")
        // Reads a pipe whose other end only this process holds: when that is gone, so goes the cluster.
        var apart = Process.Options()
        apart.newGroup = true
        let stop = Self.owned("pg_ctl -D \(directory)/data -m immediate stop")
        _ = try Process.spawn(["sh", "-c", "(cat \(directory)/leash; \(stop); rm -rf \(directory)) >/dev/null 2>&1 </dev/null"], apart)
        leash = try Files.openAppending(directory + "/leash")
        try start()
    }

    deinit { Socket.close(leash) }

    public func start() throws {
        try Self.asOwner(
            "pg_ctl -D \(directory)/data -l \(directory)/log -w -t 60"
                + " -o '-c listen_addresses= -c unix_socket_directories=\(directory) -c fsync=off -c max_connections=400' start")
    }

    /// - Parameter mode: pg_ctl's `smart`, `fast`, or `immediate` (as a crash: nothing is flushed or said).
    public func stop(_ mode: String) throws { try Self.asOwner("pg_ctl -D \(directory)/data -w -m \(mode) stop") }

    /// Copies the files of the stopped server, as a backup does.
    public func backUp() throws { try Self.run("rm -rf \(directory)/backup && cp -a \(directory)/data \(directory)/backup") }

    /// Puts the files of `backUp` in the place of the stopped server's.
    public func restore() throws { try Self.run("rm -rf \(directory)/data && cp -a \(directory)/backup \(directory)/data") }

    /// The next transaction gets this id. Only while the server is stopped after a checkpoint.
    public func setNextTransaction(_ id: UInt32) throws {
        try Self.asOwner("pg_resetwal -f -x \(id) -D \(directory)/data")
        // A segment of the commit log holds 2^20 transactions; the server expects that of the next transaction.
        let segment = String(id >> 20, radix: 16, uppercase: true)
        let file = "\(directory)/data/pg_xact/" + String(repeating: "0", count: max(0, 4 - segment.count)) + segment
        try Self.run("truncate -s 256K \(file) && chown --reference=\(directory)/data \(file)")
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

    private static func asOwner(_ command: String) throws { try run(owned(command)) }

    private static func owned(_ command: String) -> String {
        (Process.userID == 0 ? "runuser -u postgres -- " : "") + "/usr/lib/postgresql/15/bin/" + command
    }

    private static func run(_ command: String) throws {
        let status = try Process.run(["sh", "-c", "cd /tmp && (\(command)) >/dev/null 2>&1 </dev/null"])
        guard status == 0 else { throw Failure(description: "\(command) ended with \(status)") }
    }
}
