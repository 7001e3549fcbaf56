/// The functions of the language (CEL specification, "List of Standard Definitions").
enum Function: String, CaseIterable, Sendable {
    case size
    case startsWith, endsWith, contains
    case string, int, double, timestamp, duration
    case getFullYear, getMonth, getDate, getDayOfMonth, getDayOfWeek, getDayOfYear
    case getHours, getMinutes, getSeconds, getMilliseconds

    enum Form { case function, method, both }

    var form: Form {
        switch self {
        case .size: .both
        case .string, .int, .double, .timestamp, .duration: .function
        default: .method
        }
    }

    /// The value and, after it, the text that a text function looks for.
    var argumentCount: Int {
        switch self {
        case .startsWith, .endsWith, .contains: 2
        default: 1
        }
    }

    /// What the first argument may be.
    var accepted: [CELType] {
        switch self {
        case .size: [.string, .bytes, .list(.dyn), .map(.dyn)]
        case .startsWith, .endsWith, .contains: [.string]
        case .string: [.string, .int, .double, .bool, .bytes, .timestamp, .duration]
        case .int: [.int, .double, .string, .timestamp]
        case .double: [.double, .int, .string]
        case .timestamp: [.timestamp, .string, .int]
        case .duration: [.duration, .string]
        case .getFullYear, .getMonth, .getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear: [.timestamp]
        case .getHours, .getMinutes, .getSeconds, .getMilliseconds: [.timestamp, .duration]
        }
    }

    var result: CELType {
        switch self {
        case .startsWith, .endsWith, .contains: .bool
        case .string: .string
        case .double: .double
        case .timestamp: .timestamp
        case .duration: .duration
        default: .int
        }
    }

    func accepts(_ type: CELType) -> Bool {
        switch type {
        case .dyn: true
        case .list, .map: self == .size
        default: accepted.contains(type)
        }
    }

    /// Why a function or macro of CEL is left out.
    static func refusal(of name: String) -> String? {
        switch name {
        case "matches":
            "matches() is not supported because the cost of a regular expression is not bounded: use startsWith, endsWith or contains"
        case "filter", "map", "exists_one", "transformList", "transformMap":
            "\(name)() is not supported because it has no use in a condition: use exists() or all()"
        case "uint": "unsigned integers are not supported"
        case "type": "type() is not supported because a condition does not compare types"
        case "bytes", "bool": "\(name)() is not supported: compare with a literal"
        default: nil
        }
    }
}
