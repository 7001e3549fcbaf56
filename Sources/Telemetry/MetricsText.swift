/// Writes instruments in Prometheus' text format, version 0.0.4.
package struct MetricsText {
    package private(set) var text = ""
    private var metric = Metric(name: "", help: "", kind: .gauge, labels: [])

    package init() {}

    package init(_ instruments: [any Instrument]) {
        for instrument in instruments { write(instrument) }
    }

    package mutating func write(_ instrument: any Instrument) {
        metric = instrument.metric
        text += "# HELP \(metric.name) \(metric.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n"
        text += "# TYPE \(metric.name) \(metric.kind.rawValue)\n"
        instrument.writeSamples(into: &self)
    }

    /// Writes one sample of the instrument that is being written.
    package mutating func sample(_ value: String, labels: [String] = [], suffix: String = "", extra: (name: String, value: String)? = nil) {
        text += metric.name
        text += suffix
        var pairs = zip(metric.labels, labels).map { "\($0)=\"\(Self.escaped($1))\"" }
        if let extra { pairs.append("\(extra.name)=\"\(Self.escaped(extra.value))\"") }
        if !pairs.isEmpty { text += "{" + pairs.joined(separator: ",") + "}" }
        text += " \(value)\n"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// The table of docs/reference/operations.md, in which a test holds it.
    package static func markdownTable(_ instruments: [any Instrument]) -> String {
        "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
            + instruments.map(\.metric).map { metric in
                let labels = metric.labels.isEmpty ? "–" : metric.labels.map { "`\($0)`" }.joined(separator: ", ")
                return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels) | \(metric.help) |\n"
            }.joined()
    }
}
