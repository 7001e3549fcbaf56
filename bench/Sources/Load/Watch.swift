import Foundation
import Linux
import Report

/// Reads the server's memory, descriptors and threads over time, and detects whether they keep growing.
final class Watch {
    struct Reading {
        var seconds: Double
        var residentBytes: Int64
        var descriptors: Int
        var threads: Int
        var publishedBytes: Int64
    }

    private let server: Server
    private let interval: Int64
    private let start: Int64
    private var next: Int64
    private(set) var readings: [Reading] = []
    /// The size of the published records. The embedded broker keeps them in the memory of the hub's process.
    var publishedBytes: Int64 = 0

    init(_ server: Server, every seconds: Double, from start: Int64) {
        self.server = server
        interval = Int64(seconds * 1e9)
        self.start = start
        next = start
    }

    /// - Parameter isWhole: whether every client is connected; otherwise readings are not comparable, and none is taken.
    func read(isWhole: Bool) throws {
        let now = MonotonicInstant.now.nanoseconds
        guard isWhole, now >= next, let pid = server.pid else { return }
        next = now + interval
        readings.append(
            Reading(
                seconds: Double(now - start) / 1e9, residentBytes: ServerMemory([pid]).residentBytes,
                descriptors: try Self.entries("/proc/\(pid)/fd"), threads: try Self.entries("/proc/\(pid)/task"),
                publishedBytes: publishedBytes))
    }

    private static func entries(_ folder: String) throws -> Int { try FileManager.default.contentsOfDirectory(atPath: folder).count }

    func conclude(_ result: inout ScenarioResult) throws {
        guard let first = readings.first, let last = readings.last else { return }
        func timeline(_ name: String, _ unit: String, _ value: (Reading) -> Double) -> Timeline {
            Timeline(name: name, unit: unit, points: readings.map { Timeline.Point(seconds: $0.seconds, value: value($0)) })
        }
        result.timelines += [
            timeline("resident memory", "B") { Double($0.residentBytes) }, timeline("descriptors", "") { Double($0.descriptors) },
            timeline("threads", "") { Double($0.threads) },
        ]
        let quarters = Self.quarters(readings)
        result.figures += [
            Figure("resident memory at the end", Double(last.residentBytes), "B"),
            Figure("resident memory, end to beginning", Double(last.residentBytes) / Double(max(first.residentBytes, 1)), "×"),
            Figure("descriptors, end less beginning", Double(last.descriptors - first.descriptors), ""),
            Figure("threads, end less beginning", Double(last.threads - first.threads), ""),
        ]
        for (name, median) in zip(["second", "third", "last"], quarters.dropFirst()) {
            result.figures.append(Figure("resident memory, \(name) quarter of the time, median", Double(median.residentBytes), "B"))
        }
        if Self.keepsGrowing(quarters) {
            throw LoadFailure(
                "the hub's resident memory keeps growing: medians of the second, third and last quarter are "
                    + quarters.dropFirst().map { "\($0.residentBytes >> 10) KiB" }.joined(separator: ", "))
        }
        guard last.descriptors <= first.descriptors + 8 else {
            throw LoadFailure("the hub has \(last.descriptors) descriptors with as many clients as when it had \(first.descriptors)")
        }
        guard last.threads <= first.threads + 2 else {
            throw LoadFailure("the hub has \(last.threads) threads, and had \(first.threads)")
        }
    }

    /// The reading with the median of the resident memory in each quarter of the time.
    static func quarters(_ readings: [Reading]) -> [Reading] {
        guard readings.count >= 8 else { return [] }
        return (0..<4).map { quarter in
            let part = readings[readings.count * quarter / 4..<readings.count * (quarter + 1) / 4]
            return part.sorted { $0.residentBytes < $1.residentBytes }[part.count / 2]
        }
    }

    /// Whether memory grew in both of the last steps by more than was published. A leak does that; a warm-up ends earlier.
    static func keepsGrowing(_ quarters: [Reading]) -> Bool {
        guard quarters.count == 4 else { return false }
        return (2..<4).allSatisfy { quarter in
            let (before, now) = (quarters[quarter - 1], quarters[quarter])
            let allowed = max(before.residentBytes / 100, 512 << 10) + now.publishedBytes - before.publishedBytes
            return now.residentBytes > before.residentBytes + allowed
        }
    }
}
