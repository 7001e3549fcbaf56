/// The error in a record that the decoder does not understand. The record goes to the dead-letter topic.
public struct ChangeRejection: Error, Equatable, Sendable {
    /// For metrics and for the header of the dead letter.
    public let reason: Reason
    /// For the reader of the dead letter: the path of the member, what was expected, and what was found. It quotes no values of rows.
    public let detail: String

    public enum Reason: String, CaseIterable, Sendable {
        /// The value is not JSON (RFC 8259), or exceeds the limits of the parser.
        case notJSON = "not-json"
        /// The value contains U+0000, which PostgreSQL cannot store.
        case nulCharacter = "nul-character"
        /// The key is not JSON. Connect needs `JsonConverter` for the keys of tables.
        case keyNotJSON = "key-not-json"
        /// The value is JSON, but none of the known forms.
        case unknownForm = "unknown-form"
        /// `op` is none of c, u, d, r, t, m.
        case unknownOperation = "unknown-operation"
        /// A member that the form needs is missing or null.
        case missingMember = "missing-member"
        /// A member has another JSON kind than the form or the type of the column needs.
        case wrongKind = "wrong-kind"
        /// A member has the right kind, and a text or number that its type does not have.
        case badValue = "bad-value"
        /// A row has more columns than PostgreSQL allows.
        case tooManyColumns = "too-many-columns"
        /// A decimal has more digits than `ChangeLimits` allows, or the record more bytes.
        case tooLarge = "too-large"
        /// The data of a CloudEvent is Avro.
        case unsupportedEncoding = "unsupported-encoding"
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
