import Glibc

extension Files {
    /// The path without links, `.` and `..`, from the root of the file system. What it names must exist.
    public static func absolute(_ path: String) throws(SystemError) -> String {
        guard let resolved = unsafe realpath(path, nil) else { throw SystemError(call: "realpath \(path)", errno: errno) }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Within one file system. Replaces an existing target.
    public static func rename(_ path: String, to newPath: String) throws(SystemError) {
        guard unsafe Glibc.rename(path, newPath) == 0 else { throw SystemError(call: "rename \(path)", errno: errno) }
    }
}
