import HangGuard
import Testing

@testable import CEL

@Suite("CEL: timestamps and durations", .guarded)
struct CalendarTests {
    @Test("Each day has its date, from the year 1 to the year 9999")
    func days() throws {
        // 1 January of the year 1 was a Monday.
        var (year, month, day): (Int64, Int64, Int64) = (1, 1, 1)
        var dayOfWeek: Int64 = 1
        var seconds = CELTimestamp.validSeconds.lowerBound
        while let timestamp = CELTimestamp(seconds: seconds) {
            let civil = CivilTime(timestamp)
            guard civil.year == year, civil.month == month, civil.day == day, civil.second == 0, civil.dayOfWeek == dayOfWeek else {
                Issue.record("\(timestamp) is not \(year)-\(month)-\(day)")
                return
            }
            (seconds, day, dayOfWeek) = (seconds + 86_400, day + 1, (dayOfWeek + 1) % 7)
            if day > CivilTime.daysInMonth(month, of: year) { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
        #expect((year, month, day) == (10_000, 1, 1))
    }

    @Test("A timestamp and a duration that were printed are parsed to the same value")
    func roundTrip() {
        var random = SeededBits(state: 3)
        for _ in 0..<5_000 {
            let nanoseconds = Int32([0, 1, 500_000_000, 999_999_999, random.below(1_000_000_000)][random.below(5)])
            let seconds = Int64(random.below(315_537_897_600)) + CELTimestamp.validSeconds.lowerBound
            let timestamp = CELTimestamp(seconds: seconds, nanoseconds: nanoseconds)
            #expect(timestamp != nil && timestamp.flatMap { CELTimestamp($0.description) } == timestamp)
            let duration = CELDuration(
                nanoseconds: (Int64(random.below(.max)) >> Int64(random.below(62))) * (random.below(2) == 0 ? 1 : -1))
            #expect(CELDuration(duration.description) == duration)
        }
    }

    @Test("What is outside of the range is refused")
    func ranges() {
        #expect(CELTimestamp(seconds: 253_402_300_799, nanoseconds: 999_999_999) != nil)
        #expect(CELTimestamp(seconds: 253_402_300_800) == nil)
        #expect(CELTimestamp(seconds: -62_135_596_800) != nil)
        #expect(CELTimestamp(seconds: -62_135_596_801) == nil)
        #expect(CELTimestamp(seconds: 0, nanoseconds: -1) == nil)
        #expect(CELTimestamp(seconds: 0, nanoseconds: 1_000_000_000) == nil)
        #expect(CELDuration("9223372036854775807ns")?.nanoseconds == .max)
        #expect(CELDuration("9223372036854775808ns") == nil)
        #expect(CELDuration("9223372036.854775807s")?.nanoseconds == .max)
        #expect(CELDuration("9223372036.854775808s") == nil)
        #expect(CELDuration("99999999999999999999999h") == nil)
        #expect(CELDuration("0.0000000001s") == nil)
        #expect(CELDuration(nanoseconds: .min).description == "-9223372036.854775808s")
    }

    @Test("The largest negative duration cannot be subtracted, and is no crash")
    func smallestDuration() throws {
        let condition = try CELCondition("claims.t - claims.d == claims.t", declarations: CaseVariables.declarations)
        let values: [String: CELValue] = [
            "claims.t": CELTimestamp(seconds: 0).map { .timestamp($0) } ?? .null, "claims.d": .duration(CELDuration(nanoseconds: .min)),
        ]
        let inputs = condition.inputs
        guard case .failure(let failure) = condition.evaluate({ values[inputs[$0].description] }) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.reason == .timeOutOfRange)
    }

    @Test("An integer and a double compare by their exact values")
    func numbers() {
        #expect(NumberOrder.compare(.max, 0x1p63) == .less)
        #expect(NumberOrder.compare(.min, -0x1p63) == .equal)
        #expect(NumberOrder.compare(9_007_199_254_740_993, 9_007_199_254_740_992) == .greater)
        #expect(NumberOrder.compare(-1, -1.5) == .greater)
        #expect(NumberOrder.compare(-2, -1.5) == .less)
        #expect(NumberOrder.compare(0, -0.0) == .equal)
        #expect(NumberOrder.compare(0, .leastNonzeroMagnitude) == .less)
        #expect(NumberOrder.compare(.max, .infinity) == .less)
        #expect(NumberOrder.compare(.min, -.infinity) == .greater)
        #expect(NumberOrder.compare(0, .nan) == .unordered)
    }
}
