/// The functions of one argument.
extension Operations {
    /// A number or a time that is longer is refused unread.
    private static let longestNumber = 64

    func call(_ function: Function, _ value: CELValue) throws(CELFailureReason) -> CELValue {
        switch function {
        case .size: return try size(value)
        case .string: return .string(try string(value))
        case .int: return .int(try int(value))
        case .double: return .double(try double(value))
        case .timestamp: return .timestamp(try timestamp(value))
        case .duration: return .duration(try duration(value))
        default:
            switch value {
            case .timestamp(let timestamp):
                if let part = function.part(of: timestamp) { return .int(part) }
            case .duration(let duration):
                if let part = function.part(of: duration) { return .int(part) }
            default: break
            }
            throw noOverload(function, value)
        }
    }

    private func noOverload(_ function: Function, _ value: CELValue) -> CELFailureReason {
        .noSuchOverload(operation: function.rawValue, kinds: [value.kind])
    }

    private func string(_ value: CELValue) throws(CELFailureReason) -> String {
        switch value {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .bool(let value): return value ? "true" : "false"
        case .double(let number):
            let text = number.description
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        case .bytes(let bytes):
            guard bytes.count <= limits.stringBytes else { throw .tooLarge("the bytes of string()", limit: limits.stringBytes) }
            guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText("bytes", function: "string") }
            return text
        case .timestamp(let time): return time.description
        case .duration(let duration): return duration.description
        default: throw noOverload(.string, value)
        }
    }

    private func int(_ value: CELValue) throws(CELFailureReason) -> Int64 {
        switch value {
        case .int(let number): return number
        case .double(let number):
            guard let whole = Int64(truncating: number) else { throw .overflow }
            return whole
        case .string(let text):
            guard text.utf8.count <= Self.longestNumber, let number = Int64(text) else { throw .invalidText(text, function: "int") }
            return number
        case .timestamp(let time): return time.seconds
        default: throw noOverload(.int, value)
        }
    }

    private func double(_ value: CELValue) throws(CELFailureReason) -> Double {
        switch value {
        case .double(let number): return number
        case .int(let number): return Double(number)
        case .string(let text):
            guard text.utf8.count <= Self.longestNumber, let number = Double(text) else { throw .invalidText(text, function: "double") }
            return number
        default: throw noOverload(.double, value)
        }
    }

    private func timestamp(_ value: CELValue) throws(CELFailureReason) -> CELTimestamp {
        switch value {
        case .timestamp(let time): return time
        case .int(let seconds):
            guard let time = CELTimestamp(seconds: seconds) else { throw .timeOutOfRange }
            return time
        case .string(let text):
            guard text.utf8.count <= Self.longestNumber, let time = CELTimestamp(text) else {
                throw .invalidText(text, function: "timestamp")
            }
            return time
        default: throw noOverload(.timestamp, value)
        }
    }

    private func duration(_ value: CELValue) throws(CELFailureReason) -> CELDuration {
        switch value {
        case .duration(let duration): return duration
        case .string(let text):
            guard text.utf8.count <= Self.longestNumber, let duration = CELDuration(text) else {
                throw .invalidText(text, function: "duration")
            }
            return duration
        default: throw noOverload(.duration, value)
        }
    }
}

extension Function {
    /// In UTC. Months and days of the year count from 0, days of the week from Sunday; `getDate` alone counts from 1.
    fileprivate func part(of timestamp: CELTimestamp) -> Int64? {
        let civil = CivilTime(timestamp)
        return switch self {
        case .getFullYear: civil.year
        case .getMonth: civil.month - 1
        case .getDate: civil.day
        case .getDayOfMonth: civil.day - 1
        case .getDayOfWeek: civil.dayOfWeek
        case .getDayOfYear: civil.dayOfYear
        case .getHours: civil.second / 3_600
        case .getMinutes: civil.second / 60 % 60
        case .getSeconds: civil.second % 60
        case .getMilliseconds: Int64(timestamp.nanoseconds / 1_000_000)
        default: nil
        }
    }

    /// The whole duration in this unit; only the milliseconds are those after the last second.
    fileprivate func part(of duration: CELDuration) -> Int64? {
        switch self {
        case .getHours: duration.nanoseconds / 3_600_000_000_000
        case .getMinutes: duration.nanoseconds / 60_000_000_000
        case .getSeconds: duration.nanoseconds / 1_000_000_000
        case .getMilliseconds: duration.nanoseconds / 1_000_000 % 1_000
        default: nil
        }
    }
}
