import CLinux
internal import Glibc

/// Small files, whole.
public enum Files {
    public enum Kind: Int32, Sendable { case absent, file, directory, other }

    public static func kind(_ path: String) -> Kind { Kind(rawValue: unsafe clinux_kind(path)) ?? .other }

    /// - Parameter limit: more bytes than this are an error, not a longer read.
    public static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let fd = try SystemError.check("open \(path)", unsafe clinux_open_read(path))
        defer { Socket.close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let got = try SystemError.check(
                "read \(path)", unsafe chunk.withUnsafeMutableBufferPointer { unsafe clinux_read(fd, $0.baseAddress, $0.count) })
            if got == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<Int(got)])
            if bytes.count > limit { throw SystemError(call: "read \(path)", errno: 27) }
        }
    }

    public static func text(_ path: String) throws(SystemError) -> String { String(decoding: try read(path), as: UTF8.self) }

    /// Writes beside it, syncs, and renames over it: readers see the old or the new content, never half of it.
    public static func write(_ bytes: [UInt8], to path: String, mode: Int32 = 0o644) throws(SystemError) {
        let draft = "\(path).\(Process.id).new"
        _ = unsafe clinux_remove(draft)
        let fd = try SystemError.check("create \(draft)", unsafe clinux_open_write(draft, mode, 1, 0))
        do throws(SystemError) {
            defer { Socket.close(fd) }
            try write(bytes, fd, draft)
            try SystemError.check("fsync \(draft)", clinux_sync(fd))
        } catch {
            _ = unsafe clinux_remove(draft)
            throw error
        }
        try SystemError.check("rename \(draft)", unsafe clinux_rename(draft, path))
    }

    /// A descriptor to append to, for a child's output. The caller closes it with `Socket.close`.
    public static func openAppending(_ path: String, mode: Int32 = 0o600) throws(SystemError) -> Int32 {
        try SystemError.check("open \(path)", unsafe clinux_open_write(path, mode, 0, 1))
    }

    /// Creates the directory and those above it.
    public static func makeDirectory(_ path: String, mode: Int32 = 0o755) throws(SystemError) {
        guard kind(path) != .directory else { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try makeDirectory(String(path[..<slash]), mode: mode) }
        let made = unsafe clinux_make_directory(path, mode)
        if made < 0, -made != SystemError.exists { throw SystemError(call: "mkdir \(path)", errno: -made) }
    }

    public static func remove(_ path: String) throws(SystemError) { try SystemError.check("remove \(path)", unsafe clinux_remove(path)) }
    public static func changeMode(_ path: String, _ mode: Int32) throws(SystemError) {
        try SystemError.check("chmod \(path)", unsafe clinux_change_mode(path, mode))
    }
    public static func changeOwner(_ path: String, user: UInt32, group: UInt32) throws(SystemError) {
        try SystemError.check("chown \(path)", unsafe clinux_change_owner(path, user, group))
    }
    /// User and group id of an account; nil when no account has that name.
    public static func account(_ name: String) -> (user: UInt32, group: UInt32)? {
        var user: UInt32 = 0
        var group: UInt32 = 0
        return unsafe clinux_user(name, &user, &group) == 0 ? (user, group) : nil
    }

    /// An exclusive lock that the kernel gives back when the process ends, however it ends. nil: another process holds it.
    public static func lock(_ path: String) throws(SystemError) -> Int32? {
        let fd = try SystemError.check("open \(path)", unsafe clinux_open_write(path, 0o600, 0, 1))
        let locked = clinux_lock_exclusive(fd)
        if locked < 0 {
            Socket.close(fd)
            if -locked == SystemError.wouldBlock { return nil }
            throw SystemError(call: "flock \(path)", errno: -locked)
        }
        return fd
    }

    fileprivate static func write(_ bytes: [UInt8], _ fd: Int32, _ path: String) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = try SystemError.check(
                "write \(path)", unsafe rest.withUnsafeBufferPointer { unsafe clinux_write(fd, $0.baseAddress, $0.count) })
            rest = rest.dropFirst(Int(written))
        }
    }
}

/// The standard streams.
public enum Console {
    public static let errorDescriptor: Int32 = 2
    /// Writes a line to stdout, at once.
    public static func print(_ line: String) { write(line, 1) }
    /// Writes a line to stderr, at once.
    public static func error(_ line: String) { write(line, 2) }
    /// Writes a line to stderr, and gives it up when its reader takes nothing for so long: a process that ends must not wait for it.
    public static func error(_ line: String, within limit: Duration) {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty, (try? Socket.wait(2, readable: false, timeout: limit)) == true {
            // A pipe that is writable takes this many bytes without waiting.
            let piece = Array(rest.prefix(4_096))
            guard (try? Files.write(piece, 2, "standard error")) != nil else { return }
            rest = rest.dropFirst(piece.count)
        }
    }
    /// Writes all bytes to a descriptor, however long its reader takes. For a thread that serves nobody else.
    public static func write(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBufferPointer { unsafe clinux_write(descriptor, $0.baseAddress, $0.count) }
            if written == -Int64(SystemError.wouldBlock) {
                // Another process that shares the descriptor has made it non-blocking.
                _ = try Socket.wait(descriptor, readable: false, timeout: .seconds(3_600))
                continue
            }
            rest = rest.dropFirst(Int(try SystemError.check("write", written)))
        }
    }
    private static func write(_ line: String, _ fd: Int32) { try? Files.write(Array((line + "\n").utf8), fd, "standard output") }
}

/// This process and its machine.
public enum Machine {
    public static var processors: Int { max(1, Int(clinux_cpu_count())) }
    /// The name of this host, `localhost` when it has none.
    public static var hostName: String {
        let name = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            unsafe buffer.initialize(repeating: 0)
            // The last byte stays zero, also when the name is cut.
            return unsafe gethostname(buffer.baseAddress!, buffer.count - 1) == 0 ? String(cString: buffer.baseAddress!) : ""
        }
        return name.isEmpty ? "localhost" : name
    }
    /// Large blocks always come from the kernel and go back to it. By itself the allocator stops that after the first ones, and
    /// the memory of every table that was reallocated stays resident: a fifth of the memory of idle sessions.
    public static func mapLargeBlocks() { clinux_map_large_blocks() }
    public static var descriptorLimit: Int { max(0, Int(clinux_descriptor_limit())) }
    /// Raises the limit of this process to the most that it may have.
    public static func raiseDescriptorLimit() throws(SystemError) {
        try SystemError.check("setrlimit", clinux_raise_descriptor_limit())
    }
    /// Descriptors that this process has open; 0 when /proc is not mounted.
    public static var openDescriptors: Int { max(0, Int(clinux_descriptor_count())) }
    /// Memory of this process; zeros when /proc is not mounted.
    public static var memoryBytes: (virtual: Int, resident: Int) {
        var virtual: Int64 = 0
        var resident: Int64 = 0
        _ = unsafe clinux_memory_bytes(&virtual, &resident)
        return (Int(virtual), Int(resident))
    }
    public static var residentBytes: Int { memoryBytes.resident }
    /// Milliseconds since 1970 at which this process was started; 0 when /proc is not mounted.
    public static var startTime: Int64 { max(0, clinux_start_time_ms()) }
    /// Processor time of the process so far.
    public static var processorTimes: (user: Duration, system: Duration) {
        var user: Int64 = 0
        var system: Int64 = 0
        _ = unsafe clinux_cpu_times(&user, &system)
        return (.microseconds(user), .microseconds(system))
    }
    /// The name of the user whose process this is, and who became that user; the number of a user without a name.
    public static var userName: String {
        let number = getuid()
        let name = unsafe getpwuid(number).map { unsafe String(cString: $0.pointee.pw_name) } ?? "\(number)"
        return environment("SUDO_USER").map { "\(name) (sudo by \($0))" } ?? name
    }
    public static func environment(_ name: String) -> String? {
        guard let value = unsafe clinux_environment(name) else { return nil }
        return unsafe String(cString: value)
    }
    /// "NAME=value" each.
    public static var environment: [String] {
        guard var entry = unsafe clinux_environment_all() else { return [] }
        var all: [String] = []
        while let text = unsafe entry.pointee {
            unsafe all.append(String(cString: text))
            unsafe entry += 1
        }
        return all
    }
}
