/// Writes samples in Prometheus' text format, version 0.0.4. Samples of one name must follow each other.
package struct MetricsText {
    package enum Kind: String { case counter, gauge }

    package private(set) var text = ""
    private var lastName = ""

    package init() {}

    package mutating func sample(
        _ name: String, _ help: String, _ kind: Kind, _ value: Int64, _ labels: KeyValuePairs<String, String> = [:]
    ) {
        head(name, help, kind.rawValue)
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    package mutating func counter(_ name: String, _ help: String, _ counter: Counter) {
        sample(name, help, .counter, Int64(clamping: counter.value))
    }

    package mutating func counters(_ name: String, _ help: String, _ label: String, _ counters: LabelledCounter) {
        head(name, help, Kind.counter.rawValue)
        for (value, count) in counters.values { sample(name, help, .counter, Int64(clamping: count), [label: value]) }
    }

    package mutating func histogram(_ name: String, _ help: String, _ histogram: DurationHistogram) {
        histogram.write(name, help, into: &text)
    }

    private mutating func head(_ name: String, _ help: String, _ kind: String) {
        guard name != lastName else { return }
        lastName = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
