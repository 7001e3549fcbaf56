import Foundation

extension Machine {
    /// This machine, as the kernel reports it. Values that it does not report are "unknown".
    public static func current() -> Machine {
        Machine(
            processor: field("model name", in: "/proc/cpuinfo") ?? "unknown processor",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            memoryBytes: Int64(clamping: ProcessInfo.processInfo.physicalMemory),
            kernel: text("/proc/sys/kernel/osrelease") ?? "unknown kernel",
            system: field("PRETTY_NAME", in: "/etc/os-release", separator: "=") ?? "unknown system",
            load: (text("/proc/loadavg")?.split(separator: " ").first).flatMap { Double($0) } ?? 0)
    }

    private static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func field(_ name: String, in path: String, separator: Character = ":") -> String? {
        text(path)?.split(separator: "\n").first { $0.hasPrefix(name) }?
            .split(separator: separator, maxSplits: 1).last?
            .trimmingCharacters(in: CharacterSet(charactersIn: " \t\""))
    }
}
