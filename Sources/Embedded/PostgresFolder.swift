import Bytes
import Linux

/// The private cluster on disk: its data folder, its password, its port. Makes them at first use and keeps them.
struct PostgresFolder {
    let data: String
    let programs: PostgresPrograms
    let password: String
    /// The hub's data folder, which holds what belongs to the cluster without being PostgreSQL's.
    private let keep: String
    var logPath: String { "\(keep)/postgres.log" }

    static let user = "hub"
    static let database = "hub"
    /// Where the cluster lies when the account cannot get into the data folder (as in /root).
    private static let accountHome = "/var/lib/postgresql"

    /// - Parameter folder: the hub's data folder; a cluster that was begun and not finished there is begun anew.
    init(in folder: String) throws(EmbeddedFailure) {
        keep = folder
        let inside = "\(folder)/postgres"
        let outside = "\(Self.accountHome)/hub-\(StableName.of(folder))"
        let existing = [inside, outside].first { Files.kind("\($0)/PG_VERSION") == .file }
        let version = try existing.map { path throws(EmbeddedFailure) in
            try EmbeddedFailure.during("reading \(path)/PG_VERSION") { () throws(SystemError) in
                try Files.text("\(path)/PG_VERSION").trimmingLineEnd
            }
        }
        programs = try PostgresPrograms(forDataOf: version)
        let passwordFile = "\(folder)/postgres.password"
        if let existing {
            data = existing
            password = try EmbeddedFailure.during("reading \(passwordFile)") { () throws(SystemError) in
                try Files.text(passwordFile).trimmingLineEnd
            }
            return
        }
        let random = try EmbeddedFailure.during("making a password") { () throws(SystemError) in try Random.bytes(16) }
        let password = random.map(\.hexDigits).joined()
        self.password = password
        let programs = programs
        data = try EmbeddedFailure.during("making the database's folder") { () throws(SystemError) -> String in
            try Files.write(Array("\(password)\n".utf8), to: passwordFile, mode: 0o600)
            try Self.prepare("\(inside).new", programs)
            if try programs.reaches("\(inside).new") { return inside }
            try Files.remove("\(inside).new")
            try Self.prepare("\(outside).new", programs)
            return outside
        }
        try make()
    }

    /// An empty folder of the account's, whatever an interrupted start left there.
    private static func prepare(_ path: String, _ programs: PostgresPrograms) throws(SystemError) {
        if Files.kind(path) != .absent, try Process.run(["rm", "-rf", "--", path]) != 0 {
            throw SystemError(call: "rm -rf \(path)", errno: SystemError.exists)
        }
        try Files.makeDirectory(path, mode: 0o700)
        try programs.handOver(path)
    }

    /// `initdb` in a folder beside, renamed when all is done: a cluster is there whole or not at all.
    private func make() throws(EmbeddedFailure) {
        let draft = "\(data).new"
        let status = try EmbeddedFailure.during("making the database") { () throws(SystemError) -> Int32 in
            let passwordFile = "\(draft).password"
            try Files.write(Array("\(password)\n".utf8), to: passwordFile, mode: 0o600)
            try programs.handOver(passwordFile)
            let output = try Files.openAppending(logPath)
            defer { Socket.close(output) }
            var options = Process.Options()
            options.environment = PostgresPrograms.environment
            options.output = output
            let status = try Process.run(
                programs.command(
                    "initdb",
                    [
                        "-D", draft, "--username=\(Self.user)", "--pwfile=\(passwordFile)", "--auth=scram-sha-256", "--encoding=UTF8",
                        "--locale=C.UTF-8", "--no-sync",
                    ]), options)
            try Files.remove(passwordFile)
            return status
        }
        guard status == 0 else { throw .failed(step: "initdb ended with \(status)", reason: "see \(logPath)") }
        try EmbeddedFailure.during("setting the database up") { () throws(SystemError) in
            let path = "\(draft)/postgresql.conf"
            try write("\(try Files.text(path))\ninclude '\(PostgresSettings.fileName)'\n", to: path)
            try write("", to: "\(draft)/\(PostgresSettings.fileName)")
            try Files.rename(draft, to: data)
        }
    }

    func write(_ settings: PostgresSettings) throws(SystemError) {
        try write(settings.text, to: "\(data)/\(PostgresSettings.fileName)")
    }

    private func write(_ text: String, to path: String) throws(SystemError) {
        try Files.write(Array(text.utf8), to: path, mode: 0o600)
        try programs.handOver(path)
    }

    /// The port of the last run while it is free, else a new one, kept for the next.
    func choosePort() throws(SystemError) -> UInt16 {
        let file = "\(keep)/postgres.port"
        if Files.kind(file) == .file, let port = UInt16(try Files.text(file).trimmingLineEnd), let free = try? Self.freePort(port) {
            return free
        }
        let port = try Self.freePort(0)
        try Files.write(Array("\(port)\n".utf8), to: file)
        return port
    }

    private static func freePort(_ port: UInt16) throws(SystemError) -> UInt16 {
        let listener = try Socket.listen(host: "127.0.0.1", port: port, reusePort: false)
        defer { Socket.close(listener) }
        return try Socket.localPort(listener)
    }

    /// The folder of the server's socket, short enough and the account's own.
    func socketFolder(port: UInt16) throws(SystemError) -> String {
        let folder = SocketFolder.choose(in: data, fallback: "/tmp", port: port)
        if folder != data {
            try Files.makeDirectory(folder, mode: 0o700)
            // Fails when somebody else made it first, to put a socket of theirs there.
            try Files.changeMode(folder, 0o700)
            try programs.handOver(folder)
        }
        return folder
    }

    var postmaster: PostmasterFile? {
        // Gone between the look and the reading: then there is no server.
        guard let text = try? Files.text("\(data)/\(PostmasterFile.fileName)") else { return nil }
        return PostmasterFile(text)
    }
}
