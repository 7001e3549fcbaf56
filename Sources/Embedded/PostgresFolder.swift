import Bytes
import Linux

/// The private cluster on disk: its data folder, password and port. The first start creates them.
struct PostgresFolder {
    let data: String
    let programs: PostgresPrograms
    let password: String
    /// The hub's data folder, which contains the cluster's log, port and password.
    private let keep: String
    var logPath: String { "\(keep)/postgres.log" }

    static let user = "hub"
    static let database = "hub"
    /// The parent of the cluster when the account cannot access the data folder, for example in /root.
    private static let accountHome = "/var/lib/postgresql"

    /// - Parameter folder: the hub's data folder. An unfinished cluster in it is created again.
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

    /// Creates an empty folder for the account and removes the leftovers of an interrupted start.
    private static func prepare(_ path: String, _ programs: PostgresPrograms) throws(SystemError) {
        if Files.kind(path) != .absent, try Process.run(["rm", "-rf", "--", path]) != 0 {
            throw SystemError(call: "rm -rf \(path)", errno: SystemError.exists)
        }
        try Files.makeDirectory(path, mode: 0o700)
        try programs.handOver(path)
    }

    /// Runs `initdb` in a temporary folder and renames it at the end, so that an interrupted start leaves no partial cluster.
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

    /// The port of the last run if it is free; otherwise a new one, which is saved for the next run.
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

    /// The folder of the server's socket. Its path fits a socket address, and it belongs to the account.
    func socketFolder(port: UInt16) throws(SystemError) -> String {
        let folder = SocketFolder.choose(in: data, fallback: "/tmp", port: port)
        if folder != data {
            try Files.makeDirectory(folder, mode: 0o700)
            // This fails when another user created the folder first, for example to place a socket of their own in it.
            try Files.changeMode(folder, 0o700)
            try programs.handOver(folder)
        }
        return folder
    }

    var postmaster: PostmasterFile? {
        // The file disappears when the server stops, also between a check and the read.
        guard let text = try? Files.text("\(data)/\(PostmasterFile.fileName)") else { return nil }
        return PostmasterFile(text)
    }
}
