/// An instant between the years 1 and 9999, to the nanosecond (`google.protobuf.Timestamp`).
public struct CELTimestamp: Hashable, Comparable, Sendable {
    /// Since 1970-01-01T00:00:00Z, without leap seconds.
    public let seconds: Int64
    /// 0 to 999,999,999, counted forward from `seconds`.
    public let nanoseconds: Int32

    static let validSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Nil outside of the years 1 to 9999.
    public init?(seconds: Int64, nanoseconds: Int32 = 0) {
        guard Self.validSeconds.contains(seconds), 0..<1_000_000_000 ~= nanoseconds else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public static func < (a: Self, b: Self) -> Bool { (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds) }

    /// Nil when the sum is outside of the years 1 to 9999.
    func adding(_ duration: CELDuration) -> Self? {
        let (wholeSeconds, rest) = duration.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let nanoseconds = Int64(self.nanoseconds) + rest
        let carry: Int64 = nanoseconds < 0 ? -1 : nanoseconds >= 1_000_000_000 ? 1 : 0
        // A duration has less than ten billion seconds, so these sums cannot overflow.
        return Self(seconds: seconds + wholeSeconds + carry, nanoseconds: Int32(nanoseconds - carry * 1_000_000_000))
    }

    /// Nil when the distance is no valid duration.
    func since(_ earlier: Self) -> CELDuration? {
        let (product, overflow) = (seconds - earlier.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return nil }
        let (sum, sumOverflow) = product.addingReportingOverflow(Int64(nanoseconds - earlier.nanoseconds))
        return sumOverflow ? nil : CELDuration(nanoseconds: sum)
    }
}

/// A span of time, to the nanosecond, of up to 292 years in either direction (`google.protobuf.Duration` has 10,000 years).
public struct CELDuration: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
}

// MARK: The calendar

/// Date and time of day in UTC, in the proleptic Gregorian calendar.
struct CivilTime {
    var year: Int64
    /// 1 to 12.
    var month: Int64
    /// 1 to 31.
    var day: Int64
    /// Since midnight.
    var second: Int64

    init(_ timestamp: CELTimestamp) {
        second = floorRemainder(timestamp.seconds, 86_400)
        let days = (timestamp.seconds - second) / 86_400
        (year, month, day) = Self.date(ofDay: days)
    }

    /// The number of days from 1970-01-01 to a date. A year begins in March here, so that the leap day is the last day of a year.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted - floorRemainder(shifted, 400)) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(ofDay days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let dayOfEra = floorRemainder(shifted, 146_097)
        let era = (shifted - dayOfEra) / 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// 0 is Sunday.
    var dayOfWeek: Int64 { floorRemainder(Self.days(year: year, month: month, day: day) + 4, 7) }
    /// 0 is the first of January.
    var dayOfYear: Int64 { Self.days(year: year, month: month, day: day) - Self.days(year: year, month: 1, day: 1) }
}

/// The remainder that is never negative. The divisors here are positive constants.
private func floorRemainder(_ value: Int64, _ divisor: Int64) -> Int64 {
    let remainder = value % divisor
    return remainder < 0 ? remainder + divisor : remainder
}
