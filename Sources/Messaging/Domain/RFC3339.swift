// Times on the wire: RFC 3339 §5.6, written in UTC with milliseconds.
extension Timestamp {
    /// 0000-01-01T00:00:00.000Z, the first moment RFC 3339 can write.
    public static let earliest = Timestamp(milliseconds: -62_167_219_200_000)
    /// 9999-12-31T23:59:59.999Z, the last one.
    public static let latest = Timestamp(milliseconds: 253_402_300_799_999)

    private static let dayMilliseconds: Int64 = 86_400_000

    /// Appends `2026-11-23T22:45:00.123Z`; always 24 bytes. A time outside RFC 3339's range becomes the nearest representable one.
    public func writeRFC3339(into output: inout [UInt8]) {
        let moment = min(max(self, .earliest), .latest).milliseconds
        var (days, rest) = moment.quotientAndRemainder(dividingBy: Self.dayMilliseconds)
        if rest < 0 { (days, rest) = (days - 1, rest + Self.dayMilliseconds) }
        let date = CivilDate(daysSince1970: days)
        output.append(twoDigits: date.year / 100)
        output.append(twoDigits: date.year % 100)
        output.append(UInt8(ascii: "-"))
        output.append(twoDigits: date.month)
        output.append(UInt8(ascii: "-"))
        output.append(twoDigits: date.day)
        output.append(UInt8(ascii: "T"))
        output.append(twoDigits: rest / 3_600_000)
        output.append(UInt8(ascii: ":"))
        output.append(twoDigits: rest / 60_000 % 60)
        output.append(UInt8(ascii: ":"))
        output.append(twoDigits: rest / 1_000 % 60)
        output.append(UInt8(ascii: "."))
        output.append(twoDigits: rest / 10 % 100)
        output.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
        output.append(UInt8(ascii: "Z"))
    }

    public var rfc3339: String {
        var output: [UInt8] = []
        writeRFC3339(into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Reads a date-time with any offset and truncates it to milliseconds. A leap second becomes the next second.
    /// Nil for other texts, for days that do not exist, and for times outside the years 0…9999 in UTC.
    public init?(rfc3339 text: String) {
        var reader = DigitReader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"), let day = reader.number(2),
            reader.skip("T") || reader.skip("t") || reader.skip(" "),
            let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), reader.skip(":"), let second = reader.number(2),
            let date = CivilDate(year: year, month: month, day: day), hour < 24, minute < 60, second <= 60,
            let fraction = reader.milliseconds(), let offset = reader.offsetMinutes(), reader.isAtEnd
        else { return nil }
        let seconds = (hour * 60 + minute - offset) * 60 + second
        self.init(milliseconds: date.daysSince1970 * Self.dayMilliseconds + seconds * 1_000 + fraction)
        guard self >= .earliest, self <= .latest else { return nil }
    }
}

/// A day of the Gregorian calendar, reckoned in years that start in March, so that the leap day is the last of its year.
private struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    private static let eraDays: Int64 = 146_097  // 400 years
    private static let era1970: Int64 = 719_468  // days from 0000-03-01 to 1970-01-01

    init(daysSince1970: Int64) {
        let days = daysSince1970 + Self.era1970
        let era = (days >= 0 ? days : days - Self.eraDays + 1) / Self.eraDays
        let dayOfEra = days - era * Self.eraDays
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Nil for a day that does not exist.
    init?(year: Int64, month: Int64, day: Int64) {
        guard (1...12).contains(month), (1...31).contains(day) else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        let back = CivilDate(daysSince1970: daysSince1970)
        guard back.month == month, back.day == day else { return nil }
    }

    var daysSince1970: Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * Self.eraDays + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.era1970
    }
}

private struct DigitReader {
    let bytes: [UInt8]
    var offset = 0

    var isAtEnd: Bool { offset == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard offset < bytes.count, UInt32(bytes[offset]) == character.value else { return false }
        offset += 1
        return true
    }

    private mutating func digit() -> Int64? {
        guard offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 else { return nil }
        offset += 1
        return Int64(bytes[offset - 1] - UInt8(ascii: "0"))
    }

    mutating func number(_ digits: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// The fraction of a second: no characters, or a point and at least one digit.
    mutating func milliseconds() -> Int64? {
        guard skip(".") else { return 0 }
        var value: Int64 = 0
        var count = 0
        while let digit = digit() {
            if count < 3 { value = value * 10 + digit }
            count += 1
        }
        switch count {
        case 0: return nil
        case 1: return value * 100
        case 2: return value * 10
        default: return value
        }
    }

    mutating func offsetMinutes() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }
}

extension [UInt8] {
    /// Appends a number below 100 with two digits.
    fileprivate mutating func append(twoDigits value: Int64) {
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }
}
