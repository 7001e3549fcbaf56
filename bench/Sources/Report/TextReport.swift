internal import Foundation

/// A run as text for a terminal: the goals first, then each scenario.
public enum TextReport {
    public static func text(_ run: Run) -> String {
        var parts = [head(run)]
        if !run.comparisons.isEmpty { parts.append(comparisons(run.comparisons)) }
        let told = run.figures + judged(run)
        if !told.isEmpty { parts.append(figures(told)) }
        parts += run.scenarios.map(scenario)
        if !run.notes.isEmpty { parts.append(run.notes.map { "note: \($0)" }.joined(separator: "\n")) }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func head(_ run: Run) -> String {
        let machine = run.machine
        let versions = run.versions.map { "\($0.name) \($0.version)" }.joined(separator: ", ")
        return """
            \(run.title), \(run.date.formatted(.iso8601))
            \(machine.cores) × \(machine.processor), \(Wording.bytes(Double(machine.memoryBytes))), Linux \(machine.kernel), \
            \(machine.system); load at the start \(Wording.fixed(machine.load, decimals: 2))
            """ + (versions.isEmpty ? "" : "\n" + versions)
    }

    private static func comparisons(_ comparisons: [Comparison]) -> String {
        let rows = comparisons.map { comparison in
            [
                "\(comparison.title), \(comparison.measure)",
                comparison.subjectMedian.map { Wording.value($0, unit: comparison.unit) } ?? "–",
                comparison.yardstick, comparison.yardstickMedian.map { Wording.value($0, unit: comparison.unit) } ?? "–",
                Wording.ratio(comparison.ratio), range(comparison.ratioRange), "\(comparison.pairs.count)",
                comparison.goal.map { $0.text() } ?? "", comparison.verdict == .told ? "" : comparison.verdict.rawValue,
            ]
        }
        return TextTable(
            [
                "what", comparisons.allSatisfy { $0.subject == comparisons[0].subject } ? comparisons[0].subject : "subject", "yardstick",
                "", "ratio", "range", "pairs", "goal", "verdict",
            ],
            right: [1, 3, 4, 5, 6, 7], rows
        ).text
    }

    static func range(_ range: ClosedRange<Double>?) -> String {
        range.map { "[\(Wording.fixed($0.lowerBound, decimals: 2))–\(Wording.fixed($0.upperBound, decimals: 2))]" } ?? ""
    }

    /// The goals of all scenarios, if there are several. With only one they are visible anyway.
    private static func judged(_ run: Run) -> [Figure] {
        guard run.scenarios.count > 1 else { return [] }
        return run.scenarios.flatMap { result in
            result.figures.filter { $0.goal != nil }
                .map { Figure("\(result.scenario), \(result.server): \($0.name)", $0.value, $0.unit, goal: $0.goal) }
        }
    }

    private static func figures(_ figures: [Figure]) -> String {
        TextTable(
            ["figure", "value", "goal", "verdict"], right: [1, 2],
            figures.map {
                [
                    $0.name, Wording.value($0.value, unit: $0.unit), $0.goal?.text(unit: $0.unit) ?? "",
                    $0.verdict == .told ? "" : $0.verdict.rawValue,
                ]
            }
        ).text
    }

    private static func scenario(_ result: ScenarioResult) -> String {
        var lines = [
            "── \(result.scenario) · \(result.server) " + result.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        ]
        if let failure = result.failure { lines.append("no result: \(failure)") }
        if result.operations > 0 {
            lines.append(
                "\(Wording.digits(Double(result.operations))) × \(result.operation) in \(Wording.fixed(result.seconds, decimals: 1)) s: "
                    + "\(Wording.digits(result.operationsPerSecond)) per second")
        }
        if let all = result.serverNanosecondsPerOperation(),
            let user = result.serverNanosecondsPerOperation(\.userSeconds),
            let system = result.serverNanosecondsPerOperation(\.systemSeconds)
        {
            lines.append(
                "server CPU per \(result.operation): \(Wording.duration(nanoseconds: all)) "
                    + "(user \(Wording.duration(nanoseconds: user)), system \(Wording.duration(nanoseconds: system)))")
        }
        for time in result.serverCPU where result.serverCPU.count > 1 { lines.append("  \(time.group): \(share(time, result))") }
        if let generator = result.generatorCPU { lines.append("generator CPU: \(share(generator, result))") }
        if !result.latencies.isEmpty { lines.append(latencies(result.latencies)) }
        if !result.memory.isEmpty { lines.append(memory(result.memory)) }
        lines += result.counts.map { "\($0.name): \(Wording.digits(Double($0.value)))" }
        lines += result.figures.map { "\($0.name): \(Wording.value($0.value, unit: $0.unit))" + (goal($0)) }
        lines += result.notes.map { "note: \($0)" }
        return lines.joined(separator: "\n")
    }

    private static func goal(_ figure: Figure) -> String {
        figure.goal.map { " (goal \($0.text(unit: figure.unit)): \(figure.verdict.rawValue))" } ?? ""
    }

    private static func share(_ time: CPUTime, _ result: ScenarioResult) -> String {
        let share = result.seconds > 0 ? ", \(Wording.digits(time.totalSeconds / result.seconds * 100)) % of a processor" : ""
        return "user \(Wording.fixed(time.userSeconds, decimals: 2)) s, system \(Wording.fixed(time.systemSeconds, decimals: 2)) s\(share)"
    }

    private static func latencies(_ series: [LatencySeries]) -> String {
        TextTable(
            ["latency", "count"] + LatencyRecorder.toldPercentiles.map(Wording.percentile), right: Set(1...7),
            series.map { series in
                [series.name, Wording.digits(Double(series.recorder.count))]
                    + LatencyRecorder.toldPercentiles.map {
                        Wording.duration(nanoseconds: Double(series.recorder.nanoseconds(atPercentile: $0)))
                    }
            }
        ).text
    }

    private static func memory(_ points: [MemoryPoint]) -> String {
        func text(_ bytes: Int64?) -> String { bytes.map { Wording.bytes(Double($0)) } ?? "–" }
        return TextTable(
            ["connections", "resident", "anonymous", "kernel"], right: [0, 1, 2, 3],
            points.map { [Wording.digits(Double($0.connections)), text($0.residentBytes), text($0.anonymousBytes), text($0.kernelBytes)] }
        ).text
    }
}

/// Columns as wide as their widest cell.
struct TextTable {
    let text: String

    /// - Parameter right: the columns that are aligned to the right.
    init(_ titles: [String], right: Set<Int>, _ rows: [[String]]) {
        let all = [titles] + rows
        let widths = titles.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        text = all.map { row in
            var line = row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return right.contains(column) ? padding + row[column] : row[column] + padding
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
