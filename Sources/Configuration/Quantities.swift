import Pacing

// The format of durations and sizes: a whole number and a unit, such as `30s` or `64KiB`.

private let durationUnits: [(suffix: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
]

private let sizeUnits: [(suffix: String, bytes: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
]

extension Duration {
    /// `250ms`, `30s`, `5m`, `1h`, `2d`; nil for other texts and on overflow.
    package init?(quantity text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count)
        guard let count = Int64(digits), let unit = durationUnits.first(where: { $0.suffix == suffix }) else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The duration in the largest exact unit, truncated to milliseconds.
    package var quantity: String {
        let milliseconds = wholeMilliseconds
        guard milliseconds != 0, let unit = durationUnits.first(where: { milliseconds % $0.milliseconds == 0 }) else { return "0s" }
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}

/// A number of bytes as an operator writes it.
enum Size {
    /// `512B`, `64KiB`, `4MiB`, `1GiB`, or plain bytes; nil for other texts and on overflow.
    static func bytes(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count)
        guard let count = Int(digits) else { return nil }
        guard !suffix.isEmpty else { return count }
        guard let unit = sizeUnits.first(where: { $0.suffix == suffix }) else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    static func text(_ bytes: Int) -> String {
        guard bytes != 0, let unit = sizeUnits.first(where: { bytes % $0.bytes == 0 }) else { return "0B" }
        return "\(bytes / unit.bytes)\(unit.suffix)"
    }
}
