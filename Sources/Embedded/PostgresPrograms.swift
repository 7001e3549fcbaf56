import Linux

/// PostgreSQL's programs on this machine, and the account they run under.
struct PostgresPrograms: Equatable {
    /// Where `initdb` and `postgres` are.
    let folder: String
    /// Set when the hub is root, which PostgreSQL refuses to be.
    let account: Account?

    struct Account: Equatable {
        var user: UInt32
        var group: UInt32
    }

    private static let debianFolder = "/usr/lib/postgresql"
    private static let newestVersion = 30
    private static let oldestVersion = 15

    /// - Parameter version: the major version that made the data; nil when there is none yet.
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

    /// The words that run one of the programs. `setpriv` becomes the program, so the child's id is the server's.
    func command(_ program: String, _ arguments: [String]) -> [String] { asAccount(["\(folder)/\(program)"] + arguments) }

    func asAccount(_ command: [String]) -> [String] {
        account == nil ? command : ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] + command
    }

    /// Nothing of the caller's PGPORT, PGDATA and the like.
    static var environment: [String] {
        ["PATH=\(Machine.environment("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin")", "LC_ALL=C.UTF-8", "TZ=UTC"]
    }

    /// Gives a file or folder to the account.
    func handOver(_ path: String) throws(SystemError) {
        if let account { try Files.changeOwner(path, user: account.user, group: account.group) }
    }

    /// Whether the account gets to `path` through all the folders above it.
    func reaches(_ path: String) throws(SystemError) -> Bool {
        guard account != nil else { return true }
        return try Process.run(asAccount(["test", "-w", path, "-a", "-x", path])) == 0
    }
}
