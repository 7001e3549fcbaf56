/// Formats numbers: three significant digits, a suitable unit, and separated thousands.
public enum Wording {
    /// 950 ns, 12.3 µs, 4.56 ms, 1.20 s
    public static func duration(nanoseconds: Double) -> String {
        switch nanoseconds.magnitude {
        case ..<0.5: "0"
        case ..<999.5: "\(digits(nanoseconds)) ns"
        case ..<999_500: "\(digits(nanoseconds / 1e3)) µs"
        case ..<999_500_000: "\(digits(nanoseconds / 1e6)) ms"
        default: "\(digits(nanoseconds / 1e9)) s"
        }
    }

    /// 950 B, 3100 B, 12.3 KiB, 4.56 MiB. A few thousand stay in bytes, because the memory of one connection is usually given in bytes.
    public static func bytes(_ bytes: Double) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = bytes
        var unit = 0
        while value.magnitude >= (unit == 0 ? 10_000 : 1000), unit + 1 < units.count {
            value /= 1024
            unit += 1
        }
        return "\(digits(value)) \(units[unit])"
    }

    /// A value with its unit; times, bytes and rates are scaled to a suitable unit.
    public static func value(_ value: Double, unit: String) -> String {
        switch unit {
        case "ns": duration(nanoseconds: value)
        case "µs", "us": duration(nanoseconds: value * 1e3)
        case "ms": duration(nanoseconds: value * 1e6)
        case "s": duration(nanoseconds: value * 1e9)
        case "B", "bytes": bytes(value)
        case "": digits(value)
        default: "\(digits(value)) \(unit)"
        }
    }

    /// Three significant digits, never an exponent: 0.00123, 1.23, 12.3, 123, 12 300 with thin spaces.
    public static func digits(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let magnitude = value.magnitude
        let sign = value < 0 ? "−" : ""
        if magnitude == 0 { return "0" }
        if magnitude >= 99.95 { return sign + grouped(magnitude.rounded()) }
        var decimals = 0
        var scaled = magnitude
        while scaled < 99.95, decimals < 9 {
            scaled *= 10
            decimals += 1
        }
        return sign + fixed(magnitude, decimals: decimals)
    }

    /// For round values on an axis: `10.0 ms` becomes `10 ms`.
    static func withoutIdleZeros(_ text: String) -> String {
        let number = text.prefix { $0 != " " }
        guard number.contains(".") else { return text }
        var short = number
        while short.last == "0" { short.removeLast() }
        if short.last == "." { short.removeLast() }
        return String(short + text.dropFirst(number.count))
    }

    /// With a fixed number of digits after the decimal point.
    public static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return "–" }
        let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e18 else { return "–" }
        let number = UInt64(scaled)
        let unit = UInt64(scale)
        let sign = value < 0 && number > 0 ? "−" : ""
        guard decimals > 0 else { return sign + String(number) }
        let fraction = String(number % unit)
        return sign + String(number / unit) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    public static func ratio(_ ratio: Double?) -> String { ratio.map { fixed($0, decimals: 2) } ?? "–" }

    public static func percentile(_ percentile: Double) -> String {
        percentile == 100 ? "max" : "p" + (percentile == percentile.rounded() ? fixed(percentile, decimals: 0) : "\(percentile)")
    }

    private static func grouped(_ value: Double) -> String {
        guard value < 1e18 else { return "–" }
        let digits = Array(String(UInt64(value)))
        guard digits.count > 4 else { return String(digits) }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "\u{202F}" }
            text.append(digit)
        }
        return text
    }
}

extension Goal {
    /// "≤ 1.10"
    public func text(unit: String = "") -> String {
        let limit = unit.isEmpty ? Wording.fixed(limit, decimals: 2) : Wording.value(limit, unit: unit)
        return switch self {
        case .atMost: "≤ " + limit
        case .atLeast: "≥ " + limit
        }
    }
}
