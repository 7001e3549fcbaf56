/// A reader of Prometheus' text format 0.0.4 that is stricter than Prometheus: what it cannot read, or what a scraper would misread, is a fault.
struct PrometheusText {
    private(set) var faults: [String] = []
    /// By name and labels, as they are written.
    private(set) var samples: [String: Double] = [:]

    private var kinds: [String: String] = [:]
    private var helped: Set<String> = []
    private var current = ""
    /// The bucket before, and the count that must follow the last one.
    private var bucket: (bound: Double, count: Double)?

    init(_ text: String) {
        if !text.hasSuffix("\n") { faults.append("the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) { read(line) }
        if let bucket, bucket.bound != .infinity { faults.append("\(current): no bucket +Inf") }
    }

    private mutating func read(_ line: Substring) {
        if line.hasPrefix("#") { return readComment(line) }
        let end = line.lastIndex(of: " ") ?? line.startIndex
        let series = String(line[..<end])
        guard let value = Double(line[end...].dropFirst()) else { return faults.append("no number: \(line)") }
        guard samples.updateValue(value, forKey: series) == nil else { return faults.append("twice: \(series)") }
        let name = String(series.prefix { $0 != "{" })
        guard Self.isName(name, mayHoldColon: true) else { return faults.append("not a name: \(line)") }
        guard let labels = Self.labels(series.dropFirst(name.count)) else { return faults.append("labels: \(line)") }
        if Set(labels.map(\.name)).count != labels.count { faults.append("a label twice: \(line)") }
        guard let kind = kinds[current] else { return faults.append("no type before: \(line)") }
        guard kind == "histogram" else {
            if name != current { faults.append("not of \(current): \(line)") }
            if kind == "counter", value < 0 || value.isNaN { faults.append("a counter below zero: \(line)") }
            return
        }
        switch name {
        case current + "_bucket":
            guard let text = labels.first(where: { $0.name == "le" })?.value, let bound = Double(text == "+Inf" ? "inf" : text) else {
                return faults.append("no bound: \(line)")
            }
            if let bucket, bound <= bucket.bound || value < bucket.count { faults.append("not cumulative: \(line)") }
            bucket = (bound, value)
        case current + "_sum": break
        case current + "_count": if bucket?.bound != .infinity || bucket?.count != value { faults.append("not the last bucket's: \(line)") }
        default: faults.append("not of \(current): \(line)")
        }
    }

    private mutating func readComment(_ line: Substring) {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        guard words.count == 4, words[0] == "#", Self.isName(words[2], mayHoldColon: true) else {
            return faults.append("not a comment: \(line)")
        }
        switch words[1] {
        case "HELP":
            if let bucket, bucket.bound != .infinity { faults.append("\(current): no bucket +Inf") }
            bucket = nil
            if !helped.insert(words[2]).inserted { faults.append("help twice: \(line)") }
            current = words[2]
        case "TYPE":
            guard words[2] == current else { return faults.append("a type away from its help: \(line)") }
            if kinds.updateValue(words[3], forKey: current) != nil { faults.append("type twice: \(line)") }
            if !["counter", "gauge", "histogram"].contains(words[3]) { faults.append("not a type: \(line)") }
            if (words[3] == "counter") != current.hasSuffix("_total") { faults.append("_total is for counters, and for all: \(line)") }
            for suffix in ["_bucket", "_sum", "_count"] where current.hasSuffix(suffix) { faults.append("a histogram's suffix: \(line)") }
        default: faults.append("not a comment: \(line)")
        }
    }

    private static func isName(_ name: String, mayHoldColon: Bool) -> Bool {
        guard let first = name.first, !first.isNumber else { return false }
        return name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"): mayHoldColon
            default: false
            }
        }
    }

    /// nil when they are not written as `{name="value",…}` with `\\`, `\"` and `\n` as the only escapes.
    private static func labels(_ text: Substring) -> [(name: String, value: String)]? {
        if text.isEmpty { return [] }
        guard text.first == "{", text.last == "}" else { return nil }
        var rest = text.dropFirst().dropLast()
        var labels: [(name: String, value: String)] = []
        while true {
            let name = String(rest.prefix { $0 != "=" })
            guard isName(name, mayHoldColon: false) else { return nil }
            rest = rest.dropFirst(name.count)
            guard rest.hasPrefix("=\"") else { return nil }
            rest = rest.dropFirst(2)
            var value = ""
            while let character = rest.popFirst(), character != "\"" {
                guard character == "\\" else {
                    value.append(character)
                    continue
                }
                switch rest.popFirst() {
                case "\\": value.append("\\")
                case "\"": value.append("\"")
                case "n": value.append("\n")
                default: return nil
                }
            }
            labels.append((name, value))
            if rest.isEmpty { return labels }
            guard rest.popFirst() == "," else { return nil }
        }
    }
}
