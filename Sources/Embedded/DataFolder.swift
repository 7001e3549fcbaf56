import Linux

/// The folder of one embedded hub, which one process at a time may use.
///
/// Owns the lock on the folder. The kernel releases the lock even when the process crashes.
struct DataFolder: ~Copyable {
    /// The absolute path without symbolic links.
    let path: String
    private let lock: Int32

    /// - Throws: `.inUse` when another process holds the lock.
    static func claim(_ folder: String) throws(EmbeddedFailure) -> DataFolder {
        switch Files.kind(folder) {
        case .absent, .directory: break
        case .file, .other: throw .notAFolder(folder)
        }
        // PostgreSQL's account must be able to pass through when the hub runs as root.
        let mode: Int32 = Process.userID == 0 ? 0o711 : 0o700
        let path = try EmbeddedFailure.during("making the data folder") { () throws(SystemError) -> String in
            try Files.makeDirectory(folder, mode: mode)
            return try Files.absolute(folder)
        }
        let holder = "\(path)/hub.pid"
        let lock = try EmbeddedFailure.during("locking \(path)") { () throws(SystemError) in try Files.lock("\(path)/lock") }
        guard let lock else { throw .inUse(folder: path, process: (try? Files.text(holder).trimmingLineEnd) ?? "unknown") }
        let claimed = DataFolder(path: path, lock: lock)
        try EmbeddedFailure.during("writing \(holder)") { () throws(SystemError) in
            try Files.write(Array("\(Process.id)\n".utf8), to: holder)
        }
        return claimed
    }

    private init(path: String, lock: Int32) {
        self.path = path
        self.lock = lock
    }

    /// Releases the folder and keeps its content.
    deinit {
        _ = try? Files.remove(holderFile)
        Socket.close(lock)
    }

    /// Contains the id of the process that holds the lock, for the error message of another process.
    private var holderFile: String { "\(path)/hub.pid" }
}

extension String {
    var trimmingLineEnd: String { String(prefix { !$0.isNewline }) }
}
