import ArgumentParser
import Foundation
import Report

@main
struct MicroBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro-bench", abstract: "What the hub's inner operations cost, each beside something whose price is known.",
        subcommands: [Measure.self, Once.self, List.self], defaultSubcommand: Measure.self)
}

struct Source: ParsableArguments {
    @Option(help: "The repository's Fixtures, where the tokens are.")
    var fixtures = URL(filePath: #filePath).appending(path: "../../../../Fixtures").standardizedFileURL.path

    func all() throws -> [Benchmark] {
        FrameBenchmarks.all + MessageBenchmarks.all + (try ConnectBenchmarks.all(fixtures: fixtures))
            + (try TokenBenchmarks.all(fixtures: fixtures))
    }
}

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The benchmarks: name, weight and what is measured, between tabs.")
    @OptionGroup var source: Source

    func run() throws {
        for benchmark in try source.all() { print("\(benchmark.name)\t\(benchmark.weight)\t\(benchmark.title)") }
    }
}

struct Once: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Repeats one benchmark so many times and says nothing: for callgrind (bench/instructions).")
    @Argument var name: String
    @Argument var times: Int
    @OptionGroup var source: Source

    func run() throws {
        guard let benchmark = try source.all().first(where: { $0.name == name }) else { throw ValidationError("no benchmark \(name)") }
        let done = try counted(benchmark.prepare(), times)
        guard done >= times else { throw Failure("\(name): only \(done) of \(times) operations did what they should") }
    }
}

/// Callgrind counts only inside this function. bench/instructions uses its name.
@inline(never)
@_optimize(none)
func counted(_ body: Benchmark.Body, _ times: Int) throws -> Int { try body(times) }

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures in turns with the yardsticks, and tells medians.",
        discussion: "Times are this process's processor time. Numbers of one run compare; numbers of two machines do not.")

    @Argument(help: "Only benchmarks whose names begin with one of these.")
    var names: [String] = []
    @Option(help: "Turns for each benchmark.")
    var rounds = 9
    @Option(help: "Milliseconds of processor time for each measurement.")
    var milliseconds = 20
    @Option(help: "Writes the run as JSON to this file.")
    var json: String?
    @Option(help: "Writes the run as one HTML page to this file.")
    var html: String?
    @OptionGroup var source: Source

    func validate() throws {
        guard (1...1000).contains(rounds), (1...10_000).contains(milliseconds) else {
            throw ValidationError("rounds: 1…1000, milliseconds: 1…10000")
        }
    }

    func run() throws {
        let all = try source.all()
        let chosen = names.isEmpty ? all : all.filter { benchmark in names.contains { benchmark.name.hasPrefix($0) } }
        guard !chosen.isEmpty else { throw ValidationError("no benchmark begins with \(names.joined(separator: ", "))") }
        var run = Run(title: "Micro-benchmarks", machine: .current())
        for benchmark in chosen {
            FileHandle.standardError.write(Data("\(benchmark.name)…\n".utf8))
            try measure(benchmark, all, into: &run)
        }
        print(TextReport.text(run))
        if let json { try RunFile.write(run, to: json) }
        if let html { try Data(HTMLReport.page(run).utf8).write(to: URL(filePath: html)) }
    }

    private func measure(_ benchmark: Benchmark, _ all: [Benchmark], into run: inout Run) throws {
        let round = Duration.milliseconds(milliseconds)
        let subject = try Stopwatch(benchmark.name, benchmark.prepare(), round: round)
        let without = try benchmark.without.flatMap { name in all.first { $0.name == name } }
            .map { try Stopwatch($0.name, $0.prepare(), round: round) }
        let yardsticks = try benchmark.yardsticks.map { try Stopwatch($0.name, $0.prepare(), round: round) }
        var comparisons = benchmark.yardsticks.map { comparison(benchmark, yardstick: $0.name) }
        var times: [Double] = []
        for turn in 0..<rounds {
            // The order alternates, so that the effects of one measurement on the caches cancel out.
            let isForward = turn.isMultiple(of: 2)
            let watches = [subject] + yardsticks
            var values = try (isForward ? watches : watches.reversed()).map { try $0.nanoseconds() }
            if !isForward { values.reverse() }
            let time = try values[0] - (without?.nanoseconds() ?? 0)
            times.append(time)
            for index in comparisons.indices { comparisons[index].pairs.append(.init(subject: time, yardstick: values[index + 1])) }
        }
        if let speed = TokenBenchmarks.speeds[benchmark.name] {
            // Each run of `openssl speed` takes seconds, and three are enough for a median.
            let told = try (0..<3).map { _ in try OpenSSLSpeed.nanoseconds(speed.arguments) }
            var comparison = comparison(benchmark, yardstick: speed.name)
            comparison.pairs = told.map { .init(subject: median(times) ?? 0, yardstick: $0) }
            comparisons.append(comparison)
        }
        run.comparisons += comparisons
    }

    private func comparison(_ benchmark: Benchmark, yardstick: String) -> Comparison {
        Comparison(title: benchmark.title, measure: benchmark.name, unit: "ns", yardstick: yardstick)
    }
}
