/// A moment in the form of the Date field: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
public struct HTTPDate: Equatable, Sendable {
    public let text: String

    /// `seconds` since 1970-01-01T00:00:00Z. Times before it, and after the year 9999, are moved to the nearest end.
    public init(seconds: Int64) {
        let clamped = min(max(seconds, 0), 253_402_300_799)
        let days = clamped / 86_400
        let clock = clamped % 86_400
        let (year, month, day) = Self.civil(days)
        // 1970-01-01 was a Thursday.
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days % 7)]
        let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1]
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        text = "\(weekday), \(two(Int64(day))) \(name) \(year) \(two(clock / 3600)):\(two(clock / 60 % 60)):\(two(clock % 60)) GMT"
    }

    /// Year, month and day of a day counted from 1970-01-01, walking whole 400-year cycles, then years, then months.
    private static func civil(_ days: Int64) -> (Int, Int, Int) {
        var year = 1970 + Int(days / 146_097) * 400
        var rest = Int(days % 146_097)
        func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }
        while rest >= (isLeap(year) ? 366 : 365) {
            rest -= isLeap(year) ? 366 : 365
            year += 1
        }
        var month = 1
        for length in [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if rest < length { break }
            rest -= length
            month += 1
        }
        return (year, month, rest + 1)
    }
}
