import Foundation
import Linux
import Report

/// Processor time of a server's threads, from /proc: the sum to the nanosecond, user and system apart in the proportion of the kernel's
/// ticks.
struct ProcessTimes {
    private struct ThreadTimes {
        var group: String
        var nanoseconds: Int64
        var userTicks: Int64
        var systemTicks: Int64
    }

    private var threads: [String: ThreadTimes] = [:]

    /// - Parameters:
    ///   - pids: processes with their descendants where `withChildren`.
    ///   - group: names a thread's group from its name.
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

    /// The process and what it started, and they.
    static func tree(_ pid: Int32) -> [Int32] {
        let children = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))?.flatMap { task in
            ((try? Files.text("/proc/\(pid)/task/\(task)/children")) ?? "").split(separator: " ").compactMap { Int32($0) }
        }
        return [pid] + (children ?? []).flatMap(tree)
    }

    /// By group, in the order of their names.
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

    /// The Kafka broker inside an embedded hub, which no hub in use has.
    static let embeddedBroker = "embedded broker"

    /// The hub's threads by their work.
    static func hubGroup(_ thread: String) -> String {
        if thread.hasPrefix("loop-") || thread.hasPrefix("echo-") { return "loops" }
        if ["store", "intake", "keys"].contains(thread) { return thread }
        if thread == "rdk:mock" { return embeddedBroker }
        return thread.hasPrefix("rdk:") ? "librdkafka" : "other"
    }
}

/// What a server holds, and what the kernel holds for the machine's sockets.
struct ServerMemory {
    var residentBytes: Int64 = 0
    var proportionalBytes: Int64 = 0
    var anonymousBytes: Int64 = 0
    /// Both ends of every loopback socket, and everything else of the machine's.
    var kernelSlabBytes: Int64 = 0
    var kernelSocketBytes: Int64 = 0
    /// What the machine could still give, as the kernel estimates it.
    var availableBytes: Int64 = 0

    /// Nothing.
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
        // "TCP: inuse 41 orphan 0 tw 3 alloc 43 mem 7": the last in pages.
        let sockets = (try? Files.text("/proc/net/sockstat")) ?? ""
        let words = sockets.split(separator: "\n").first { $0.hasPrefix("TCP:") }?.split(separator: " ") ?? []
        if let place = words.firstIndex(of: "mem"), place + 1 < words.count { kernelSocketBytes = (Int64(words[place + 1]) ?? 0) * 4_096 }
    }

    /// Lines such as `Rss:   1234 kB`, in bytes.
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
