extension CELTimestamp: CustomStringConvertible {
    /// Parses RFC 3339, section 5.6, with up to nine digits of a second's fraction. Nil for another text or another year than 1 to 9999.
    public init?(_ text: String) {
        var digits = DigitReader(text)
        guard let year = digits.number(4), digits.skip("-"), let month = digits.number(2), digits.skip("-"), let day = digits.number(2),
            digits.skip("T") || digits.skip("t"), let hour = digits.number(2), digits.skip(":"), let minute = digits.number(2),
            digits.skip(":"), let second = digits.number(2)
        else { return nil }
        guard 1...12 ~= month, day >= 1, day <= CivilTime.daysInMonth(month, of: year), hour < 24, minute < 60, second < 60 else {
            return nil
        }
        var nanoseconds: Int64 = 0
        if digits.skip(".") {
            guard let fraction = digits.fraction() else { return nil }
            nanoseconds = fraction
        }
        var offset: Int64 = 0
        if !digits.skip("Z") && !digits.skip("z") {
            let sign: Int64 = digits.skip("+") ? 1 : -1
            guard sign == 1 || digits.skip("-"), let hours = digits.number(2), digits.skip(":"), let minutes = digits.number(2), hours < 24,
                minutes < 60
            else { return nil }
            offset = sign * (hours * 3_600 + minutes * 60)
        }
        guard digits.isAtEnd else { return nil }
        let days = CivilTime.days(year: year, month: month, day: day)
        self.init(seconds: days * 86_400 + hour * 3_600 + minute * 60 + second - offset, nanoseconds: Int32(nanoseconds))
    }

    /// RFC 3339 in UTC, without zeros at the end of the fraction.
    public var description: String {
        let civil = CivilTime(self)
        let date = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
        let time = "\(padded(civil.second / 3_600, 2)):\(padded(civil.second / 60 % 60, 2)):\(padded(civil.second % 60, 2))"
        return "\(date)T\(time)\(fractionText(Int64(nanoseconds)))Z"
    }
}

extension CELDuration: CustomStringConvertible {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("ms", 1_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("us", 1_000), ("µs", 1_000), ("ns", 1),
    ]

    /// Parses a sequence of decimal numbers with a unit, such as `1h30m` or `-1.5s`. The units are h, m, s, ms, us and ns. Nil for another
    /// text, and for more than 292 years.
    public init?(_ text: String) {
        var digits = DigitReader(text)
        let isNegative = digits.skip("-")
        if !isNegative { _ = digits.skip("+") }
        if digits.skipWhole("0") {
            self.init(nanoseconds: 0)
            return
        }
        var total: Int64 = 0
        repeat {
            let whole = digits.unboundedNumber()
            var fraction: Int64?
            if digits.skip(".") {
                fraction = digits.fraction()
                guard fraction != nil else { return nil }
            }
            guard whole != nil || fraction != nil, !digits.hasOverflowed,
                let unit = Self.units.first(where: { digits.skip($0.name) })?.nanoseconds
            else { return nil }
            let (product, overflow) = (whole ?? 0).multipliedReportingOverflow(by: unit)
            // The fraction counts in billionths of the unit: what is smaller than a nanosecond is dropped.
            let part = fraction.map { $0.multipliedFullWidth(by: unit) }.map { Int64(1_000_000_000).dividingFullWidth($0).quotient } ?? 0
            let (sum, sumOverflow) = product.addingReportingOverflow(part)
            let (newTotal, totalOverflow) = total.addingReportingOverflow(sum)
            guard !overflow, !sumOverflow, !totalOverflow else { return nil }
            total = newTotal
        } while !digits.isAtEnd
        self.init(nanoseconds: isNegative ? -total : total)
    }

    /// Seconds with a fraction, as CEL's `string()` writes a duration.
    public var description: String {
        let sign = nanoseconds < 0 ? "-" : ""
        let magnitude = nanoseconds.magnitude
        return "\(sign)\(magnitude / 1_000_000_000)\(fractionText(Int64(magnitude % 1_000_000_000)))s"
    }
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// `.5` of 500,000,000; empty for 0.
private func fractionText(_ nanoseconds: Int64) -> String {
    guard nanoseconds > 0 else { return "" }
    var text = padded(nanoseconds, 9)
    while text.last == "0" { text.removeLast() }
    return "." + text
}

/// Reads digits and fixed texts from the front of a string.
private struct DigitReader {
    private let bytes: [UInt8]
    private var index = 0
    private(set) var hasOverflowed = false

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { index == bytes.count }

    private mutating func digit() -> Int64? {
        guard index < bytes.count, 48...57 ~= bytes[index] else { return nil }
        index += 1
        return Int64(bytes[index - 1]) - 48
    }

    /// Exactly this many digits. Nine digits at most are asked for.
    mutating func number(_ width: Int) -> Int64? {
        var number: Int64 = 0
        for _ in 0..<width {
            guard let digit = digit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// One or more digits; nil for none. Sets `hasOverflowed` for a number that does not fit.
    mutating func unboundedNumber() -> Int64? {
        guard var number = digit() else { return nil }
        while let digit = digit() {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = product.addingReportingOverflow(digit)
            hasOverflowed = hasOverflowed || overflow || sumOverflow
            number = sum
        }
        return number
    }

    /// One to nine digits after a point, as billionths; nil for another number of digits.
    mutating func fraction() -> Int64? {
        var fraction: Int64 = 0
        var count = 0
        while let digit = digit() {
            count += 1
            guard count <= 9 else { return nil }
            fraction = fraction * 10 + digit
        }
        guard count > 0 else { return nil }
        for _ in count..<9 { fraction *= 10 }
        return fraction
    }

    mutating func skip(_ text: String) -> Bool {
        guard bytes[index...].starts(with: text.utf8) else { return false }
        index += text.utf8.count
        return true
    }

    /// Skips a text that is all that is left.
    mutating func skipWhole(_ text: String) -> Bool { bytes[index...].elementsEqual(text.utf8) && skip(text) }
}
