import Foundation
import Report

/// A run with one result of every kind; the values come from a formula.
enum Sample {
    static let machine = Machine(
        processor: "Sample", cores: 2, memoryBytes: 25_000_000_000, kernel: "6.1", system: "Debian 12", load: 0.12)

    static func run() -> Run {
        var run = Run(
            title: "The hub beside its peers", date: Date(timeIntervalSince1970: 1_800_000_000), command: ["hub-bench", "compare"],
            machine: machine, versions: [.init("hub", "1.0"), .init("nginx", "1.22")])
        run.scenarios = [
            fanout("hub", factor: 1), fanout("nginx + nchan", factor: 1.6), idle("hub", bytes: 900), idle("node-ws", bytes: 6400),
        ]
        run.comparisons = [
            comparison("bare C send loop", 1.06, .atMost(1.10)), comparison("uWebSockets", 0.94, .atMost(1)),
            comparison("nginx + nchan", 0.79, .atMost(0.75)), comparison("nats-server", 0.6, nil),
        ]
        run.figures = [Figure("ready after start", 112, "ms", goal: .atMost(150))]
        run.notes = ["Made up."]
        return run
    }

    private static func comparison(_ yardstick: String, _ ratio: Double, _ goal: Goal?) -> Comparison {
        let pairs = (0..<7).map { Comparison.Pair(subject: 7300 * ratio * (1 + Double($0 % 3 - 1) * 0.03), yardstick: 7300) }
        return Comparison(
            title: "one 300 B entry to 10 000 sessions", measure: "CPU per delivery", unit: "ns", yardstick: yardstick, pairs: pairs,
            goal: goal)
    }

    private static func fanout(_ server: String, factor: Double) -> ScenarioResult {
        var result = ScenarioResult(
            scenario: "fanout", server: server, parameters: [Parameter("sessions", 10_000), Parameter("bytes", 300)], operation: "delivery",
            seconds: 30)
        result.operations = 3_000_000
        var recorder = LatencyRecorder()
        for index in 1...200_000 {
            let share = Double(index) / 200_001
            recorder.record(nanoseconds: Int64(40e6 * factor * share + 2e5 / (1 - share)))
        }
        result.latencies = [LatencySeries("publish → delivered", recorder)]
        result.serverCPU = [
            CPUTime(group: "loops", userSeconds: 1.1 * factor, systemSeconds: 21 * factor),
            CPUTime(group: "store", userSeconds: 0.2, systemSeconds: 0.1),
        ]
        result.generatorCPU = CPUTime(group: "generator", userSeconds: 4, systemSeconds: 12)
        result.timelines = [
            Timeline(
                name: "deliveries per second", unit: "per second",
                points: (0..<30).map { .init(seconds: Double($0), value: 100_000 / factor * (1 + 0.05 * Double(($0 * 7) % 5 - 2))) })
        ]
        result.counts = [Count("lost", 0)]
        return result
    }

    private static func idle(_ server: String, bytes: Int64) -> ScenarioResult {
        var result = ScenarioResult(scenario: "idle", server: server, operation: "session", seconds: 20)
        result.memory = [0, 2000, 5000, 10_000, 18_000].map {
            MemoryPoint(
                connections: $0, residentBytes: 22_000_000 + Int64($0) * bytes, anonymousBytes: 9_000_000 + Int64($0) * bytes,
                kernelBytes: Int64($0) * 3100)
        }
        result.figures = [Figure("user-space memory per session", Double(bytes), "B", goal: .atMost(1000))]
        return result
    }
}
