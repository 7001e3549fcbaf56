import Foundation
import Linux
import Report

/// Processor time of a server's threads, from /proc. The sum is exact to the nanosecond; it is divided into user and system time in
/// the proportion of the kernel's ticks.
struct ProcessTimes {
    private struct ThreadTimes {
        var group: String
        var nanoseconds: Int64
        var userTicks: Int64
        var systemTicks: Int64
    }

    private var threads: [String: ThreadTimes] = [:]

    /// - Parameters:
    ///   - pids: the processes; with their descendants if `withChildren` is true.
    ///   - group: returns the group of a thread for the thread's name.
    init(_ pids: [Int32], withChildren: Bool, group: (String) -> String) {
        for pid in withChildren ? pids.flatMap(Self.tree) : pids {
            for task in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? [] {
                let folder = "/proc/\(pid)/task/\(task)"
                // A thread may end between the listing and the reading.
                guard let name = try? Files.text("\(folder)/comm"), let spent = try? Files.text("\(folder)/schedstat"),
                    let stat = try? Files.text("\(folder)/stat"), let end = stat.lastIndex(of: ")")
                else { continue }
                let words = stat[stat.index(after: end)...].split(separator: " ")
                guard words.count > 12, let nanoseconds = spent.split(separator: " ").first.flatMap({ Int64($0) }) else { continue }
                threads["\(pid)/\(task)"] = ThreadTimes(
                    group: group(name.trimmingCharacters(in: .newlines)), nanoseconds: nanoseconds, userTicks: Int64(words[11]) ?? 0,
                    systemTicks: Int64(words[12]) ?? 0)
            }
        }
    }

    /// The process and all its descendants.
    static func tree(_ pid: Int32) -> [Int32] {
        let children = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))?.flatMap { task in
            ((try? Files.text("/proc/\(pid)/task/\(task)/children")) ?? "").split(separator: " ").compactMap { Int32($0) }
        }
        return [pid] + (children ?? []).flatMap(tree)
    }

    /// The times by group, sorted by the groups' names.
    func spent(since earlier: ProcessTimes) -> [CPUTime] {
        var ticks: [String: (user: Int64, system: Int64, nanoseconds: Int64)] = [:]
        for (id, thread) in threads {
            let before = earlier.threads[id]
            var sum = ticks[thread.group] ?? (0, 0, 0)
            sum.user += thread.userTicks - (before?.userTicks ?? 0)
            sum.system += thread.systemTicks - (before?.systemTicks ?? 0)
            sum.nanoseconds += thread.nanoseconds - (before?.nanoseconds ?? 0)
            ticks[thread.group] = sum
        }
        return ticks.sorted { $0.key < $1.key }.map { group, sum in
            let all = sum.user + sum.system
            let seconds = Double(sum.nanoseconds) / 1e9
            let share = all > 0 ? Double(sum.user) / Double(all) : 0.5
            return CPUTime(group: group, userSeconds: seconds * share, systemSeconds: seconds * (1 - share))
        }
    }

    /// The Kafka broker inside an embedded hub, which a hub in production does not have.
    static let embeddedBroker = "embedded broker"

    /// The hub's threads by their work.
    static func hubGroup(_ thread: String) -> String {
        if thread.hasPrefix("loop-") || thread.hasPrefix("echo-") { return "loops" }
        if ["store", "intake", "keys"].contains(thread) { return thread }
        if thread == "rdk:mock" { return embeddedBroker }
        return thread.hasPrefix("rdk:") ? "librdkafka" : "other"
    }
}

/// The memory of a server, and the kernel's memory for the machine's sockets.
struct ServerMemory {
    var residentBytes: Int64 = 0
    var proportionalBytes: Int64 = 0
    var anonymousBytes: Int64 = 0
    /// Of the whole machine: both ends of every loopback socket, and all other kernel memory of this kind.
    var kernelSlabBytes: Int64 = 0
    var kernelSocketBytes: Int64 = 0
    /// The memory that is still available on the machine, by the kernel's estimate.
    var availableBytes: Int64 = 0

    /// All values zero.
    init() {}

    init(_ pids: [Int32]) {
        for pid in pids {
            let fields = Self.fields("/proc/\(pid)/smaps_rollup")
            residentBytes += fields["Rss"] ?? 0
            proportionalBytes += fields["Pss"] ?? 0
            anonymousBytes += fields["Anonymous"] ?? 0
        }
        let machine = Self.fields("/proc/meminfo")
        kernelSlabBytes = machine["Slab"] ?? 0
        availableBytes = machine["MemAvailable"] ?? 0
        // "TCP: inuse 41 orphan 0 tw 3 alloc 43 mem 7", where `mem` is in pages.
        let sockets = (try? Files.text("/proc/net/sockstat")) ?? ""
        let words = sockets.split(separator: "\n").first { $0.hasPrefix("TCP:") }?.split(separator: " ") ?? []
        if let index = words.firstIndex(of: "mem"), index + 1 < words.count { kernelSocketBytes = (Int64(words[index + 1]) ?? 0) * 4_096 }
    }

    /// Parses lines such as `Rss:   1234 kB`; the result is in bytes.
    private static func fields(_ path: String) -> [String: Int64] {
        var fields: [String: Int64] = [:]
        for line in ((try? Files.text(path)) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count >= 2, let value = Int64(words[1]), words[0].hasSuffix(":") else { continue }
            fields[String(words[0].dropLast())] = value * 1_024
        }
        return fields
    }
}
