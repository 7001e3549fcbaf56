/// Dates, times, timestamps and durations as ISO 8601 texts.
enum TimeText {
    /// `2024-02-29`, with or without `Z`. Days since 1970-01-01.
    static func date(_ text: String) -> Int64? {
        var cursor = Cursor(text)
        guard let days = cursor.date() else { return nil }
        cursor.skip(UInt8(ascii: "Z"))
        return cursor.isAtEnd ? days : nil
    }

    /// `11:45:30.123Z`, `13:45:30+02:00` or without offset. Microseconds since midnight UTC.
    static func time(_ text: String) -> Int64? {
        var cursor = Cursor(text)
        guard let time = cursor.time(), let offset = cursor.offset(), cursor.isAtEnd else { return nil }
        if offset == 0 { return time }
        let utc = (time - offset) % microsecondsPerDay
        return utc < 0 ? utc + microsecondsPerDay : utc
    }

    /// `2024-03-31T01:30:00.000000Z`, with a space for the T, with another offset or without one (UTC). Microseconds since 1970.
    static func timestamp(_ text: String) -> Int64? {
        var cursor = Cursor(text)
        guard let days = cursor.date(), cursor.skip(UInt8(ascii: "T")) || cursor.skip(UInt8(ascii: " ")), let time = cursor.time(),
            let offset = cursor.offset(), cursor.isAtEnd
        else { return nil }
        let (start, overflow) = days.multipliedReportingOverflow(by: microsecondsPerDay)
        let (sum, carry) = start.addingReportingOverflow(time - offset)
        return overflow || carry ? nil : sum
    }

    /// `P1Y2M3DT4H5M6.7S`, each part with its own sign. A month has 30.4375 days, as in Debezium's numbers.
    static func duration(_ text: String) -> Int64? {
        var cursor = Cursor(text)
        guard cursor.skip(UInt8(ascii: "P")), !cursor.isAtEnd else { return nil }
        var total: Int64 = 0
        var isTime = false
        while !cursor.isAtEnd {
            if !isTime, cursor.skip(UInt8(ascii: "T")) { isTime = true }
            guard let (number, fraction) = cursor.signedNumber(), let unit = cursor.next() else { return nil }
            let factor: Int64
            switch (isTime, unit) {
            case (false, UInt8(ascii: "Y")): factor = 12 * microsecondsPerMonth
            case (false, UInt8(ascii: "M")): factor = microsecondsPerMonth
            case (false, UInt8(ascii: "D")): factor = microsecondsPerDay
            case (true, UInt8(ascii: "H")): factor = 3_600_000_000
            case (true, UInt8(ascii: "M")): factor = 60_000_000
            case (true, UInt8(ascii: "S")): factor = 1_000_000
            default: return nil
            }
            guard fraction == 0 || factor == 1_000_000 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            let (part, carry) = product.addingReportingOverflow(fraction)
            let (sum, excess) = total.addingReportingOverflow(part)
            if overflow || carry || excess { return nil }
            total = sum
        }
        return total
    }

    static let microsecondsPerDay: Int64 = 86_400_000_000
    private static let microsecondsPerMonth: Int64 = 2_629_800_000_000
}

private struct Cursor {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { position == bytes.count }

    mutating func next() -> UInt8? {
        guard position < bytes.count else { return nil }
        position += 1
        return bytes[position - 1]
    }

    @discardableResult
    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func digit() -> Int64? {
        guard position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 else { return nil }
        position += 1
        return Int64(bytes[position - 1] &- UInt8(ascii: "0"))
    }

    /// A number of so many digits, as many as there are up to the most.
    private mutating func digits(_ counts: ClosedRange<Int>) -> Int64? {
        var (value, count) = (Int64(0), 0)
        while count < counts.upperBound, let digit = digit() {
            value = value * 10 + digit
            count += 1
        }
        return counts.contains(count) ? value : nil
    }

    /// Days since 1970-01-01. A year has a sign before 1 BC and, in Java's notation, beyond 9999.
    mutating func date() -> Int64? {
        let isNegative = skip(UInt8(ascii: "-"))
        if !isNegative { skip(UInt8(ascii: "+")) }
        guard let magnitude = digits(4...9), skip(UInt8(ascii: "-")), let month = digits(2...2), skip(UInt8(ascii: "-")),
            let day = digits(2...2), (1...12).contains(month)
        else { return nil }
        let year = isNegative ? -magnitude : magnitude
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let length: Int64 = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        guard (1...length).contains(day) else { return nil }
        return Self.days(year, month, day)
    }

    /// The proleptic Gregorian calendar, counted in eras of 400 years whose years begin in March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Microseconds; `24:00:00` is the end of a day.
    mutating func time() -> Int64? {
        guard let hours = digits(2...2), skip(UInt8(ascii: ":")), let minutes = digits(2...2), minutes < 60 else { return nil }
        var (seconds, fraction) = (Int64(0), Int64(0))
        if skip(UInt8(ascii: ":")) {
            guard let whole = digits(2...2), whole < 60, let part = self.fraction() else { return nil }
            (seconds, fraction) = (whole, part)
        }
        let time = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction
        return time <= TimeText.microsecondsPerDay ? time : nil
    }

    /// The microseconds of `.5`, `.123456` or `.123456789`, rounded down; zero without a point.
    private mutating func fraction() -> Int64? {
        guard skip(UInt8(ascii: ".")) else { return 0 }
        var (value, count) = (Int64(0), 0)
        while let digit = digit() {
            if count < 6 { value = value * 10 + digit }
            count += 1
        }
        guard (1...9).contains(count) else { return nil }
        for _ in count..<max(count, 6) { value *= 10 }
        return value
    }

    /// Microseconds east of UTC: `Z`, nothing, `+02`, `+02:00`, `-0330`, `+02:00:00`.
    mutating func offset() -> Int64? {
        if skip(UInt8(ascii: "Z")) || isAtEnd { return 0 }
        let isWest = skip(UInt8(ascii: "-"))
        guard isWest || skip(UInt8(ascii: "+")), let hours = digits(2...2), hours <= 18 else { return nil }
        var seconds = hours * 3_600
        for unit in [Int64(60), 1] where !isAtEnd {
            skip(UInt8(ascii: ":"))
            guard let part = digits(2...2), part < 60 else { return nil }
            seconds += part * unit
        }
        return (isWest ? -seconds : seconds) * 1_000_000
    }

    /// A whole number, and the microseconds of its fraction with the same sign.
    mutating func signedNumber() -> (Int64, Int64)? {
        let isNegative = skip(UInt8(ascii: "-"))
        guard let whole = digits(1...18), let part = fraction() else { return nil }
        return isNegative ? (-whole, -part) : (whole, part)
    }
}
