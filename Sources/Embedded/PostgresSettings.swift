import Bytes
import Configuration

/// The settings of the private PostgreSQL: `hub.conf` in its data folder, rewritten at every start.
struct PostgresSettings: Equatable {
    static let fileName = "hub.conf"

    var port: UInt16
    var socketFolder: String

    /// The settings keep the server small and its start fast. They keep full durability, so that acknowledged data survives a crash.
    var text: String {
        """
        # Written by the hub at every start.
        listen_addresses = '127.0.0.1'
        port = \(port)
        unix_socket_directories = '\(Self.escaped(socketFolder))'
        unix_socket_permissions = 0700
        password_encryption = 'scram-sha-256'
        max_connections = 40
        shared_buffers = 64MB
        max_wal_size = 256MB
        wal_buffers = 4MB
        wal_compression = on
        jit = off
        timezone = 'UTC'
        log_timezone = 'UTC'
        logging_collector = off
        log_checkpoints = off

        """
    }

    private static func escaped(_ value: String) -> String { value.replacing("'", with: "''") }
}

/// The content of a server's `postmaster.pid`, one value per line: process, data folder, start time, port, socket folder, address,
/// shared memory, state.
struct PostmasterFile: Equatable {
    static let fileName = "postmaster.pid"

    let process: Int32
    let isReady: Bool

    init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingSpaces }
        // A negative number marks a server in single-user mode.
        guard let first = lines.first, let process = Int32(first), process > 1 else { return nil }
        self.process = process
        isReady = lines.count > 7 && lines[7] == "ready"
    }
}

/// Chooses the folder of the server's socket. The socket's path must fit `sockaddr_un` (107 bytes), so a folder with a long path is
/// replaced by a short one with a name derived from it.
enum SocketFolder {
    static let longestPathBytes = 107

    static func choose(in folder: String, fallback: String, port: UInt16) -> String {
        let socket = "\(folder)/.s.PGSQL.\(port)"
        return socket.utf8.count <= longestPathBytes ? folder : "\(fallback)/hub-\(StableName.of(folder))"
    }
}

/// A short name that depends only on the text and is equal in every run (FNV-1a, 64 bits).
enum StableName {
    static func of(_ text: String) -> String {
        var hash = FNV1a()
        for byte in text.utf8 { hash.combine(byte) }
        return hash.value.hexDigits
    }
}
