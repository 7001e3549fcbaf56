internal import ChangeCapture
internal import Messaging

/// A text with holes for columns: `Review of {title}`. `{{` and `}}` stand for the braces themselves.
struct RuleText: Equatable, Sendable {
    enum Part: Equatable, Sendable {
        case text(String)
        /// A column of the new row; of the old one for a delete.
        case column(String)
    }

    let source: String
    let parts: [Part]

    struct Fault: Error, Equatable {
        let message: String
    }

    init(parsing source: String) throws(Fault) {
        var parts: [Part] = []
        var text = ""
        var rest = source[...]
        while let character = rest.popFirst() {
            switch character {
            case "{" where rest.first == "{", "}" where rest.first == "}":
                text.append(character)
                rest.removeFirst()
            case "{":
                guard let end = rest.firstIndex(of: "}") else { throw Fault(message: "expected } after {\(rest)") }
                let name = String(rest[..<end])
                guard Self.isColumnName(name) else { throw Fault(message: "expected the name of a column in braces, got {\(name)}") }
                if !text.isEmpty { parts.append(.text(text)) }
                text = ""
                parts.append(.column(name))
                rest = rest[rest.index(after: end)...]
            case "}": throw Fault(message: "unexpected }; }} stands for a brace")
            default: text.append(character)
            }
        }
        if !text.isEmpty { parts.append(.text(text)) }
        self.source = source
        self.parts = parts
    }

    var columns: [String] { parts.compactMap { if case .column(let name) = $0 { name } else { nil } } }

    /// The text with the values of a row; an error when a column has no value that a text can show.
    func filled(from row: Row) throws(RuleFailure) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .text(let constant): text += constant
            case .column(let name): text += try row[name].shown(as: name)
            }
        }
        return text
    }

    private static func isColumnName(_ name: String) -> Bool {
        // PostgreSQL's names have at most 63 bytes.
        (1...63).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" || $0 == "$"
            }
    }
}

/// Why a rule has no result for a change. The rule's other changes and the change's other rules go on.
public struct RuleFailure: Error, Equatable, Sendable {
    public var rule: String
    public let detail: String

    public init(rule: String = "", detail: String) {
        self.rule = rule
        self.detail = detail
    }
}

extension ColumnValue {
    /// The value for a text: numbers and texts as they are, times as RFC 3339.
    func shown(as column: String) throws(RuleFailure) -> String {
        switch self {
        case .bool(let value): return value ? "true" : "false"
        case .int(let value): return String(value)
        case .double(let value): return String(value)
        case .decimal(let text), .string(let text): return text
        case .timestamp(let microseconds): return Timestamp(microseconds: microseconds).rfc3339
        case .date(let days):
            let (microseconds, isTooLarge) = days.multipliedReportingOverflow(by: 86_400_000_000)
            guard !isTooLarge else { throw RuleFailure(detail: "column \(column): the date is out of range") }
            return String(Timestamp(microseconds: microseconds).rfc3339.prefix { $0 != "T" })
        case .null: throw RuleFailure(detail: "column \(column) is null")
        case .absent: throw RuleFailure(detail: "the row has no column \(column)")
        case .unavailable: throw RuleFailure(detail: "column \(column) was not delivered")
        case .notANumber, .bytes, .time, .duration, .json, .array, .infinity, .negativeInfinity:
            throw RuleFailure(detail: "column \(column) has a value that a text cannot show")
        }
    }
}

extension Timestamp {
    init(microseconds: Int64) { self.init(milliseconds: microseconds / 1_000) }
}
