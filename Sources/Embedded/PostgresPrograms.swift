import Linux

/// PostgreSQL's programs on this machine, and the account they run under.
struct PostgresPrograms: Equatable {
    /// The folder of `initdb` and `postgres`.
    let folder: String
    /// The account for PostgreSQL when the hub runs as root, because PostgreSQL refuses to run as root.
    let account: Account?

    struct Account: Equatable {
        var user: UInt32
        var group: UInt32
    }

    private static let debianFolder = "/usr/lib/postgresql"
    private static let newestVersion = 30
    private static let oldestVersion = 15

    /// - Parameter version: the major version of the existing data; nil when there is none.
    init(forDataOf version: String?) throws(EmbeddedFailure) {
        guard let folder = Self.folders(for: version).first(where: { Files.kind("\($0)/initdb") == .file }) else {
            throw .postgresMissing(version: version)
        }
        self.folder = folder
        guard Process.userID == 0 else {
            account = nil
            return
        }
        guard let account = Files.account("postgres") else { throw .accountMissing }
        self.account = Account(user: account.user, group: account.group)
    }

    private static func folders(for version: String?) -> [String] {
        if let version { return ["\(debianFolder)/\(version)/bin"] }
        let debian = stride(from: newestVersion, through: oldestVersion, by: -1).map { "\(debianFolder)/\($0)/bin" }
        return debian + (Machine.environment("PATH") ?? "").split(separator: ":").map(String.init)
    }

    /// The command line for one of the programs. `setpriv` replaces itself with the program, so the child's process id is the server's.
    func command(_ program: String, _ arguments: [String]) -> [String] { asAccount(["\(folder)/\(program)"] + arguments) }

    func asAccount(_ command: [String]) -> [String] {
        account == nil ? command : ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + command
    }

    /// The environment of the programs, without the caller's PGPORT, PGDATA and similar variables.
    static var environment: [String] {
        ["PATH=\(Machine.environment("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin")", "LC_ALL=C.UTF-8", "TZ=UTC"]
    }

    /// Makes the account the owner of a file or folder.
    func handOver(_ path: String) throws(SystemError) {
        if let account { try Files.changeOwner(path, user: account.user, group: account.group) }
    }

    /// Whether the account can access `path` through all its parent folders.
    func reaches(_ path: String) throws(SystemError) -> Bool {
        guard account != nil else { return true }
        return try Process.run(asAccount(["test", "-w", path, "-a", "-x", path])) == 0
    }
}
