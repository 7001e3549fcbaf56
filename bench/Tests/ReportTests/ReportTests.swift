import Foundation
import Report
import Testing

@Suite("A report")
struct ReportTests {
    @Test("comes back from its file as it was written")
    func roundTrip() throws {
        let run = Sample.run()
        let back = try RunFile.value(Run.self, from: RunFile.data(run))
        #expect(back == run)
    }

    @Test("as HTML is one well-formed page that needs nothing beside it")
    func html() throws {
        var run = Sample.run()
        run.title = "a < b & \"c\""
        let page = HTMLReport.page(run)
        #expect(page.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"))
        #expect(!page.contains("<script") && !page.contains("src=") && !page.contains("http"))
        for word in ["NaN", "inf", "nan", "Optional("] { #expect(!page.contains(word), "\(word)") }
        #expect(openElements(of: page) == [])
    }

    /// The elements that are still open at the end of the page; also not empty when elements are closed in the wrong order.
    private func openElements(of page: String) -> [String] {
        var open: [String] = []
        for match in page.matches(of: /<(\/?)([a-z0-9]+)[^>]*?(\/?)>/) {
            let name = String(match.2)
            if ["meta", "br"].contains(name) || match.3 == "/" { continue }
            if match.1.isEmpty { open.append(name) } else if open.last == name { open.removeLast() } else { open.append("/" + name) }
        }
        return open
    }

    @Test("names each goal with its verdict")
    func verdicts() {
        let text = TextReport.text(Sample.run())
        #expect(text.contains("≤ 1.10"))
        #expect(text.contains("reached") && text.contains("missed"))
    }

    @Test("of several scenarios has the goals of all at its head")
    func goalsAtTheHead() {
        let text = TextReport.text(Sample.run())
        let head = text.prefix(upTo: text.range(of: "── ")?.lowerBound ?? text.startIndex)
        #expect(head.contains("idle, hub: user-space memory per session"))
        var alone = Sample.run()
        alone.figures = []
        alone.scenarios = Array(alone.scenarios.suffix(1))
        #expect(!TextReport.text(alone).contains("idle, hub: "))
    }

    @Test("of a scenario that failed says why and invents no figures")
    func failed() {
        var run = Run(title: "t", machine: Sample.machine)
        var result = ScenarioResult(scenario: "echo", server: "hub", operation: "echo")
        result.failure = "port 1 <refused>"
        run.scenarios = [result]
        #expect(HTMLReport.page(run).contains("No result: port 1 &lt;refused&gt;"))
        #expect(!HTMLReport.page(run).contains("per second"))
        #expect(TextReport.text(run).contains("no result: port 1 <refused>"))
    }

    @Test("adds up what several commands found")
    func adding() {
        var run = Sample.run()
        let count = run.scenarios.count
        run.add(Sample.run())
        #expect(run.scenarios.count == 2 * count)
        #expect(run.versions == Sample.run().versions)
    }
}

@Suite("A comparison")
struct ComparisonTests {
    @Test("takes the median of the pairs' ratios, not the ratio of the medians")
    func ratio() {
        var comparison = Comparison(title: "t", measure: "m", unit: "ns", yardstick: "C", goal: .atMost(1.1))
        comparison.pairs = [.init(subject: 10, yardstick: 10), .init(subject: 30, yardstick: 20), .init(subject: 21, yardstick: 20)]
        #expect(comparison.ratio == 1.05)
        #expect(comparison.ratioRange == 1...1.5)
        #expect(comparison.subjectMedian == 21)
        #expect(comparison.verdict == .reached)
        comparison.goal = .atLeast(1.06)
        #expect(comparison.verdict == .missed)
        comparison.goal = nil
        #expect(comparison.verdict == .told)
    }

    @Test("without a measurement has reached nothing")
    func empty() {
        var comparison = Comparison(title: "t", measure: "m", unit: "ns", yardstick: "C", goal: .atMost(1.1))
        #expect(comparison.verdict == .missed && comparison.ratio == nil)
        comparison.pairs = [.init(subject: 1, yardstick: 0)]
        #expect(comparison.verdict == .missed && comparison.ratioRange == nil)
    }

    @Test("finds the middle", arguments: [([], nil), ([3], 3), ([4, 1], 2.5), ([9, 1, 2], 2)] as [([Double], Double?)])
    func middle(_ values: [Double], _ expected: Double?) {
        #expect(median(values) == expected)
    }
}

@Suite("Processor time")
struct CPUTimeTests {
    @Test("is as sure of its user part as the ticks allow that told it from the system's")
    func standardError() {
        #expect(abs(CPUTime(group: "g", userSeconds: 0.5, systemSeconds: 0.5).userStandardError() - 0.05) < 1e-12)
        #expect(abs(CPUTime(group: "g", userSeconds: 50, systemSeconds: 50).userStandardError() - 0.5) < 1e-12)
        #expect(CPUTime(group: "g", userSeconds: 3).userStandardError() == 0)
        #expect(CPUTime(group: "g").userStandardError() == 0)
    }

    @Test("of an operation is told for one group of threads too")
    func group() {
        var result = ScenarioResult(scenario: "s", server: "hub", operation: "delivery")
        result.serverCPU = [CPUTime(group: "loops", userSeconds: 1, systemSeconds: 2), CPUTime(group: "store", userSeconds: 5)]
        #expect(result.serverNanosecondsPerOperation(group: "loops") == nil)
        result.operations = 1_000
        #expect(result.serverNanosecondsPerOperation(group: "loops") == 3e6)
        #expect(result.serverNanosecondsPerOperation(group: "intake") == nil)
    }
}

@Suite("Numbers are worded")
struct WordingTests {
    @Test(
        "with three digits in a unit that fits",
        arguments: [
            (0, "0"), (7, "7.00 ns"), (950, "950 ns"), (1_234, "1.23 µs"), (999_499, "999 µs"), (999_500, "1.00 ms"), (59e9, "59.0 s"),
            (3600e9, "3600 s"),
        ] as [(Double, String)])
    func durations(_ nanoseconds: Double, _ expected: String) {
        #expect(Wording.duration(nanoseconds: nanoseconds) == expected)
    }

    @Test(
        "without exponents, whatever their size",
        arguments: [
            (0.00123, "0.00123"), (1.5, "1.50"), (99.96, "100"), (1234, "1234"), (12_345, "12\u{202F}345"), (-2, "−2.00"),
            (.infinity, "–"), (.nan, "–"), (1_234_567, "1\u{202F}234\u{202F}567"),
        ] as [(Double, String)])
    func digits(_ value: Double, _ expected: String) {
        #expect(Wording.digits(value) == expected)
    }

    @Test("in bytes", arguments: [(512, "512 B"), (3100, "3100 B"), (10_240, "10.0 KiB"), (3_500_000, "3.34 MiB")] as [(Double, String)])
    func bytes(_ bytes: Double, _ expected: String) {
        #expect(Wording.bytes(bytes) == expected)
    }
}
