import Foundation

/// A run as one self-contained HTML page, without scripts, fonts or external images.
public enum HTMLReport {
    public static func page(_ run: Run) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(escaped(run.title))</title>
        <style>\(PageStyle.css)</style>
        </head>
        <body>
        \(header(run))
        <main>
        \(goals(run))
        \(comparisons(run.comparisons))
        \(scenarios(run.scenarios))
        \(notes(run.notes))
        </main>
        <footer>\(run.command.isEmpty ? "" : "<p>Made by <code>\(escaped(command(run)))</code></p>")\
        <p>How the bench measures, and what it cannot tell, stands in bench/METHOD.md.</p></footer>
        </body>
        </html>

        """
    }

    private static func command(_ run: Run) -> String {
        guard let program = run.command.first else { return "" }
        return ([program.split(separator: "/").last.map(String.init) ?? program] + run.command.dropFirst()).joined(separator: " ")
    }

    // MARK: Head

    private static func header(_ run: Run) -> String {
        let machine = run.machine
        let versions = run.versions.map { "\($0.name) \($0.version)" }.joined(separator: ", ")
        let verdicts = run.comparisons.map(\.verdict) + (run.figures + run.scenarios.flatMap(\.figures)).map(\.verdict)
        let reached = verdicts.count { $0 == .reached }
        let missed = verdicts.count { $0 == .missed }
        let tally =
            reached + missed == 0
            ? ""
            : """
            <ul class="tally"><li class="reached"><b>\(reached)</b>goals reached</li>\
            <li class="\(missed > 0 ? "missed" : "")"><b>\(missed)</b>missed</li>\
            <li><b>\(verdicts.count - reached - missed)</b>told without a goal</li></ul>
            """
        return """
            <header>
            <h1>\(escaped(run.title))</h1>
            <p class="soft">\(escaped(run.date.formatted(.iso8601))) · \(machine.cores) × \(escaped(machine.processor)), \
            \(Wording.bytes(Double(machine.memoryBytes))) · Linux \(escaped(machine.kernel)), \(escaped(machine.system)) · \
            load at the start \(Wording.fixed(machine.load, decimals: 2))\(versions.isEmpty ? "" : "<br>" + escaped(versions))</p>
            \(tally)
            </header>
            """
    }

    // MARK: Goals and comparisons

    private static func goals(_ run: Run) -> String {
        let compared = run.comparisons.filter { $0.goal != nil }.map { comparison in
            [
                "\(escaped(comparison.title)), \(escaped(comparison.measure))", "÷ \(escaped(comparison.yardstick))",
                "\(Wording.ratio(comparison.ratio)) <span class=\"soft\">\(TextReport.range(comparison.ratioRange))</span>",
                comparison.goal.map { $0.text() } ?? "", badge(comparison.verdict),
            ]
        }
        let single =
            run.figures.map { ("", $0) }
            + run.scenarios.flatMap { result in result.figures.map { ("\(result.scenario): \(result.server)", $0) } }
        let measured = single.filter { $0.1.goal != nil }.map { (scenario, figure) in
            [
                escaped(figure.name), escaped(scenario), escaped(Wording.value(figure.value, unit: figure.unit)),
                escaped(figure.goal?.text(unit: figure.unit) ?? ""), badge(figure.verdict),
            ]
        }
        guard !(compared + measured).isEmpty else { return "" }
        return """
            <h2>Goals</h2>
            <p class="soft">A ratio is the median over pairs of measurements that stood next to each other in time; in brackets the \
            least and the greatest pair.</p>
            <div class="card">\(table(["what", "beside", "measured", "goal", ""], right: [2, 3], compared + measured, style: "stack"))</div>
            """
    }

    private static func comparisons(_ comparisons: [Comparison]) -> String {
        var order: [String] = []
        var groups: [String: [Comparison]] = [:]
        for comparison in comparisons {
            let key = comparison.title + "\u{0}" + comparison.measure
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(comparison)
        }
        let cards = order.compactMap { groups[$0] }.map { group in
            let first = group[0]
            let pairs = group.map(\.pairs.count).max() ?? 0
            let goal = group.contains { $0.goal != nil } ? " The red mark is the goal." : ""
            let notes = group.flatMap(\.notes).map { "<p class=\"soft\">\(escaped($0))</p>" }.joined()
            return """
                <div class="card"><h3>\(escaped(first.title))</h3><p class="parameters">\(escaped(first.measure))</p>
                <figure>\(Bars(comparisons: group).svg)<figcaption>\(escaped(first.subject)) as a multiple of each yardstick, median of \
                \(pairs) pairs; the thin line spans the pairs, the dotted line is 1.\(goal)</figcaption></figure>\(notes)</div>
                """
        }
        return cards.isEmpty ? "" : "<h2>Side by side</h2>\n" + cards.joined(separator: "\n")
    }

    // MARK: Scenarios

    private static func scenarios(_ results: [ScenarioResult]) -> String {
        var order: [String] = []
        for result in results where !order.contains(result.scenario) { order.append(result.scenario) }
        return order.map { name in
            let group = results.filter { $0.scenario == name }
            return "<h2>\(escaped(name))</h2>\n" + shared(group) + group.map(scenario).joined(separator: "\n")
        }.joined(separator: "\n")
    }

    /// The plots in which the servers of one scenario are compared.
    private static func shared(_ group: [ScenarioResult]) -> String {
        guard group.count > 1 else { return "" }
        let series = group.flatMap { result in
            result.latencies.prefix(1).map { LatencySeries("\(result.server)\(variant(result, in: group)): \($0.name)", $0.recorder) }
        }
        var plots = ""
        if series.count > 1 { plots += latencyFigure(series) }
        if group.count(where: { $0.memory.count > 1 }) > 1 { plots += memoryFigure(group.filter { $0.memory.count > 1 }) }
        return plots.isEmpty ? "" : "<div class=\"card\"><h3>All together</h3>\(plots)</div>"
    }

    /// The parameters in which runs of one server differ.
    private static func variant(_ result: ScenarioResult, in group: [ScenarioResult]) -> String {
        let twins = group.filter { $0.server == result.server }
        let differing = result.parameters.filter { parameter in twins.contains { !$0.parameters.contains(parameter) } }
        return differing.isEmpty ? "" : " (" + differing.map { "\($0.name) \($0.value)" }.joined(separator: ", ") + ")"
    }

    private static func scenario(_ result: ScenarioResult) -> String {
        var parts = ["<h3>\(escaped(result.server))</h3>"]
        let parameters = result.parameters.map { "\($0.name) \($0.value)" }.joined(separator: " · ")
        if !parameters.isEmpty { parts.append("<p class=\"parameters\">\(escaped(parameters))</p>") }
        if let failure = result.failure { parts.append("<p class=\"failure\">No result: \(escaped(failure))</p>") }
        parts.append(facts(result))
        let measured = result.latencies.filter { !$0.recorder.isEmpty }
        if !measured.isEmpty { parts.append(latencyFigure(measured) + latencyTable(measured)) }
        for timelines in byUnit(result.timelines) {
            parts.append(
                figure(
                    Plot.timelines(timelines).svg,
                    "\(timelines.map(\.name).joined(separator: ", ")) over the time of the run; a dip is a stall of the server or of the generator."
                ))
        }
        if result.memory.count > 1 { parts.append(memoryFigure([result])) }
        parts += result.notes.map { "<p class=\"soft\">\(escaped($0))</p>" }
        return "<div class=\"card\">\(parts.joined(separator: "\n"))</div>"
    }

    private static func byUnit(_ timelines: [Timeline]) -> [[Timeline]] {
        var units: [String] = []
        for timeline in timelines where !timeline.points.isEmpty && !units.contains(timeline.unit) { units.append(timeline.unit) }
        return units.map { unit in timelines.filter { $0.unit == unit && !$0.points.isEmpty } }
    }

    private static func facts(_ result: ScenarioResult) -> String {
        var facts: [(name: String, value: String, more: String)] = []
        if result.operations > 0 {
            facts.append(
                (
                    "rate", "\(Wording.digits(result.operationsPerSecond)) per second",
                    "\(Wording.digits(Double(result.operations))) × \(result.operation) in \(Wording.fixed(result.seconds, decimals: 1)) s"
                ))
        }
        if let all = result.serverNanosecondsPerOperation(), let user = result.serverNanosecondsPerOperation(\.userSeconds),
            let system = result.serverNanosecondsPerOperation(\.systemSeconds)
        {
            let parts = "user \(Wording.duration(nanoseconds: user)), system \(Wording.duration(nanoseconds: system))"
            facts.append(("server CPU per \(result.operation)", Wording.duration(nanoseconds: all), parts))
        }
        if result.serverCPU.count > 1 { facts += result.serverCPU.map { ("CPU of \($0.group)", share($0, result), "") } }
        if let generator = result.generatorCPU {
            facts.append(("CPU of the generator", share(generator, result), "of one processor"))
        }
        if result.memory.count == 1, let point = result.memory.first {
            let kernel = point.kernelBytes.map { "kernel \(Wording.bytes(Double($0)))" } ?? ""
            facts.append(("memory at \(Wording.digits(Double(point.connections)))", Wording.bytes(Double(point.residentBytes)), kernel))
        }
        facts += result.counts.map { ($0.name, Wording.digits(Double($0.value)), "") }
        for figure in result.figures {
            let goal = figure.goal.map { "goal " + $0.text(unit: figure.unit) } ?? ""
            facts.append((figure.name, Wording.value(figure.value, unit: figure.unit), goal))
        }
        guard !facts.isEmpty else { return "" }
        let items = facts.map { fact in
            let more = fact.more.isEmpty ? "" : "<small>\(escaped(fact.more))</small>"
            return "<div><dt>\(escaped(fact.name))</dt><dd>\(escaped(fact.value))\(more)</dd></div>"
        }
        return "<dl class=\"facts\">\(items.joined())</dl>"
    }

    private static func share(_ time: CPUTime, _ result: ScenarioResult) -> String {
        result.seconds > 0
            ? "\(Wording.digits(time.totalSeconds / result.seconds * 100)) %" : "\(Wording.fixed(time.totalSeconds, decimals: 2)) s"
    }

    // MARK: Pieces

    private static func latencyFigure(_ series: [LatencySeries]) -> String {
        figure(
            Plot.percentiles(series).svg,
            "How long the slowest took: each step to the right leaves a tenth of the operations, so a flat line is a steady server and a "
                + "rise at the right edge is what its unluckiest users meet.")
    }

    private static func latencyTable(_ series: [LatencySeries]) -> String {
        table(
            ["latency", "count"] + LatencyRecorder.toldPercentiles.map(Wording.percentile), right: Set(1...7),
            series.map { series in
                [escaped(series.name), Wording.digits(Double(series.recorder.count))]
                    + LatencyRecorder.toldPercentiles.map {
                        Wording.duration(nanoseconds: Double(series.recorder.nanoseconds(atPercentile: $0)))
                    }
            })
    }

    private static func memoryFigure(_ results: [ScenarioResult]) -> String {
        figure(
            Plot.memory(results).svg,
            "Memory while connections grow: the slope is what one more connection costs, and a straight line says that it stays the same.")
    }

    private static func figure(_ svg: String, _ caption: String) -> String {
        svg.isEmpty ? "" : "<figure>\(svg)<figcaption>\(escaped(caption))</figcaption></figure>"
    }

    private static func badge(_ verdict: Verdict) -> String { "<span class=\"verdict \(verdict.rawValue)\">\(verdict.rawValue)</span>" }

    /// Cells are HTML.
    private static func table(_ titles: [String], right: Set<Int>, _ rows: [[String]], style: String = "") -> String {
        func cells(_ row: [String], _ element: String) -> String {
            row.enumerated().map { "<\(element)\(right.contains($0) ? " class=\"r\"" : "")>\($1)</\(element)>" }.joined()
        }
        return """
            <div class="wide"><table class="\(style)"><thead><tr>\(cells(titles.map(escaped), "th"))</tr></thead>\
            <tbody>\(rows.map { "<tr>\(cells($0, "td"))</tr>" }.joined())</tbody></table></div>
            """
    }

    private static func notes(_ notes: [String]) -> String {
        notes.isEmpty ? "" : "<h2>Notes</h2><div class=\"card\">\(notes.map { "<p>\(escaped($0))</p>" }.joined())</div>"
    }
}
