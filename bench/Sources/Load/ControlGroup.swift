import Linux

/// The memory that the kernel charges to a process's control group, including kernel memory for sockets and tables.
/// It includes all processes of the group: a server that the bench starts shares its group with the generator,
/// and a systemd service has a group of its own.
struct ControlGroup {
    private let folder: String
    private let isUnified: Bool

    /// nil, never 0, where the kernel does not report the value.
    struct Memory: Equatable {
        var currentBytes: Int64
        var anonymousBytes: Int64?
        var kernelBytes: Int64?
    }

    /// nil: no control group of the process reports its memory here.
    init?(of pid: Int32) {
        let groups = (try? Files.text("/proc/\(pid)/cgroup")) ?? ""
        let found = Self.candidates(groups).first { Files.kind("\($0.folder)/\(Self.current($0.isUnified))") == .file }
        guard let found else { return nil }
        (folder, isUnified) = found
    }

    var memory: Memory? {
        guard let current = (try? Files.text("\(folder)/\(Self.current(isUnified))")).flatMap(Self.number) else { return nil }
        let stat = Self.fields((try? Files.text("\(folder)/memory.stat")) ?? "")
        if isUnified {
            // `kernel` exists since Linux 5.18. On older kernels slab and socket buffers make up most of it.
            let parts = [stat["slab"], stat["sock"]].compactMap { $0 }
            let kernel = stat["kernel"].map { $0 + (stat["sock"] ?? 0) } ?? (parts.isEmpty ? nil : parts.reduce(0, +))
            return Memory(currentBytes: current, anonymousBytes: stat["anon"], kernelBytes: kernel)
        }
        let kernel = ["memory.kmem.usage_in_bytes", "memory.kmem.tcp.usage_in_bytes"]
            .compactMap { (try? Files.text("\(folder)/\($0)")).flatMap(Self.number) }
        return Memory(
            currentBytes: current, anonymousBytes: stat["total_rss"] ?? stat["rss"],
            kernelBytes: kernel.isEmpty ? nil : kernel.reduce(0, +))
    }

    /// The number of processes in the group, without its child groups.
    var processes: Int { ((try? Files.text("\(folder)/cgroup.procs")) ?? "").split(separator: "\n").count }

    /// The folders where the group of `/proc/PID/cgroup` may be mounted, for cgroup v1 and v2; in a container, the mount's root.
    static func candidates(_ groups: String) -> [(folder: String, isUnified: Bool)] {
        var candidates: [(folder: String, isUnified: Bool)] = []
        for line in groups.split(separator: "\n") {
            let words = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count == 3 else { continue }
            let path = words[2] == "/" ? "" : String(words[2])
            if words[1].isEmpty {
                candidates += ["/sys/fs/cgroup\(path)", "/sys/fs/cgroup/unified\(path)", "/sys/fs/cgroup"].map { ($0, true) }
            } else if words[1].split(separator: ",").contains("memory") {
                candidates += ["/sys/fs/cgroup/memory\(path)", "/sys/fs/cgroup/memory"].map { ($0, false) }
            }
        }
        return candidates
    }

    private static func current(_ isUnified: Bool) -> String { isUnified ? "memory.current" : "memory.usage_in_bytes" }

    private static func number(_ text: String) -> Int64? { text.split(separator: "\n").first.flatMap { Int64($0) } }

    /// Lines such as `anon 1234`.
    static func fields(_ text: String) -> [String: Int64] {
        var fields: [String: Int64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let value = Int64(words[1]) { fields[String(words[0])] = value }
        }
        return fields
    }
}
