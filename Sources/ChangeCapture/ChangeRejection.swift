/// The error in a record that the decoder does not understand. The record goes to the dead-letter topic.
public struct ChangeRejection: Error, Equatable, Sendable {
    /// For metrics and for the header of the dead letter.
    public let reason: Reason
    /// For the reader of the dead letter: the path of the member, what was expected, and what was found. It quotes no values of rows.
    public let detail: String

    /// The raw values are stable names.
    public enum Reason: String, CaseIterable, Sendable {
        case notJSON = "not-json"
        case nulCharacter = "nul-character"
        case keyNotJSON = "key-not-json"
        case unknownForm = "unknown-form"
        case unknownOperation = "unknown-operation"
        case missingMember = "missing-member"
        case wrongKind = "wrong-kind"
        case badValue = "bad-value"
        case tooManyColumns = "too-many-columns"
        case tooLarge = "too-large"
        case unsupportedEncoding = "unsupported-encoding"

        /// The meaning, for docs/reference/change-events.md.
        public var meaning: String {
            switch self {
            case .notJSON: "The value is not JSON (RFC 8259), or exceeds 64 levels or 200 000 values."
            case .nulCharacter: "The value contains U+0000, which PostgreSQL cannot store."
            case .keyNotJSON: "The key is not JSON: tables need `JsonConverter` for their keys."
            case .unknownForm: "The value is JSON, but none of the forms of this page."
            case .unknownOperation: "`op` is none of `c`, `u`, `d`, `r`, `t`, `m`."
            case .missingMember: "A member or header that the form needs is missing or null."
            case .wrongKind: "A member has another JSON kind than the form or the column's type needs."
            case .badValue: "A member has the right kind, and a text or number that its type does not have."
            case .tooManyColumns: "A row has more columns than PostgreSQL allows (1 600)."
            case .tooLarge: "The record has more than 16 MiB, or a decimal more than 20 000 digits."
            case .unsupportedEncoding: "The data of a CloudEvent is not JSON but, for example, Avro."
            }
        }

        public static var markdownTable: String {
            allCases.reduce(into: "| reason | meaning |\n|---|---|\n") { $0 += "| `\($1.rawValue)` | \($1.meaning) |\n" }
        }
    }

    init(_ reason: Reason, _ detail: String) {
        self.reason = reason
        self.detail =
            detail.utf8.count <= Self.longestDetail ? detail : String(decoding: detail.utf8.prefix(Self.longestDetail), as: UTF8.self)
    }

    init(_ reason: Reason, at path: String, expected: String, found: String) {
        self.init(reason, "\(path): expected \(expected), found \(found)")
    }

    private static let longestDetail = 400
}

/// The limits of a record, with the reason for each. A record beyond one is rejected.
public enum ChangeLimits {
    /// Kafka's own limit (`message.max.bytes`) is 1 MiB unless configured. A row with large texts exceeds it, and is still bounded.
    public static let recordBytes = 16 << 20
    /// PostgreSQL allows 1 600 columns.
    public static let columns = 1_600
    /// The digits of a decimal. PostgreSQL allows 131 072 before the point; the conversion from base64 takes quadratic time.
    public static let decimalDigits = 20_000
    /// The values of a record. An array column may have many elements.
    static let values = 200_000
}
