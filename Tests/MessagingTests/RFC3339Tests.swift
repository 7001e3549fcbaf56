import HangGuard
import Messaging
import Testing

@Suite("Times of RFC 3339", .guarded)
struct RFC3339Tests {
    @Test(
        "A time is written in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (1_795_473_900_123, "2026-11-23T22:45:00.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"), (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (.max, "9999-12-31T23:59:59.999Z"), (.min, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func writing(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).rfc3339 == text)
    }

    @Test(
        "A date-time is read with any offset and fraction",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01 00:00:00Z", 0), ("1970-01-01T00:00:00.9Z", 900),
            ("1970-01-01T00:00:00.04Z", 40), ("1970-01-01T00:00:00.0019999Z", 1), ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T19:30:00.5-04:30", 500), ("1970-01-01T00:00:00-00:00", 0), ("1990-12-31T23:59:60Z", 662_688_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] as [(String, Int64)])
    func reading(text: String, milliseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.milliseconds == milliseconds)
    }

    @Test(
        "Anything else is not a time",
        arguments: [
            "", "Z", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00Z", "1970-1-01T00:00:00Z", "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z", "1970-01-00T00:00:00Z", "1970-01-32T00:00:00Z", "1900-02-29T00:00:00Z", "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1", "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60",
            "1970-01-01T00:00:00Zx", " 1970-01-01T00:00:00Z", "+970-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "1970_01_01T00:00:00Z",
            "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "１970-01-01T00:00:00Z",
        ])
    func refusing(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test("The days of a thousand years follow each other without a gap")
    func calendar() throws {
        var (year, month, day) = (1600, 1, 1)
        var moment = try #require(Timestamp(rfc3339: "1600-01-01T00:00:00Z"))
        while year < 2600 {
            let text = moment.rfc3339
            let expected = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T00:00:00.000Z"
            guard text == expected, Timestamp(rfc3339: text) == moment else {
                Issue.record("\(text) is not \(expected)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
            (day, month) = day < days ? (day + 1, month) : (1, month + 1)
            if month > 12 { (year, month) = (year + 1, 1) }
            moment = Timestamp(milliseconds: moment.milliseconds + 86_400_000)
        }
    }

    @Test("A truncated time is refused")
    func cuts() {
        let text = "2026-11-23T22:45:00.123+01:00"
        for length in 0..<text.count { #expect(Timestamp(rfc3339: String(text.prefix(length))) == nil) }
    }
}
