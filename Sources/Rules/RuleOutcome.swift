internal import Bytes
public import ChangeCapture

/// The effects of the rules for one change. Retractions come before events: an event of the same row and rule replaces the earlier one.
public struct RuleOutcome: Equatable, Sendable {
    public var retractions: [RuleRetraction] = []
    public var events: [RuleEvent] = []
    public var access: [RuleAccess] = []
    /// Rules that had no result because of an error. The other rules are not affected.
    public var failures: [RuleFailure] = []
    /// Rules whose condition depends on a value that the database did not deliver. They have no effect on this change.
    public var undecided: [String] = []

    public init() {}

    public var isEmpty: Bool { self == RuleOutcome() }
}

/// The entries that a row has caused are not true any more.
public struct RuleRetraction: Equatable, Sendable {
    /// The row, as `CausingRow.text`.
    public let row: String
    /// Nil: the entries of all rules, because the row was deleted.
    public let rule: String?

    public init(row: String, rule: String?) {
        self.row = row
        self.rule = rule
    }
}

/// An event in the hub's own JSON, without `id`.
public struct RuleEvent: Equatable, Sendable {
    public let row: String
    public let rule: String
    /// Together with `rule:<name>` as source it identifies the event, also when the connector sends the change again.
    public let id: String
    public let json: [UInt8]
}

/// The name of a row in `hub.entry` and in retractions.
public enum CausingRow {
    public static let mostBytes = 512

    /// A name taken apart again, for people.
    public struct Parts: Equatable, Sendable {
        public let database: String
        public let table: String
        /// JSON; the beginning of it and a hash where it was long.
        public let key: String

        /// Nil for a text that names no row.
        public init?(_ text: String?) {
            let parts = (text ?? "").split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[1].contains("."), !parts[2].isEmpty else { return nil }
            (database, table, key) = (String(parts[0]), String(parts[1]), String(parts[2]))
        }
    }

    /// `<database>/<schema>.<table>/<key>`, the key as `RowKey.text`. A longer name is cut and gets its hash. Nil for a row without a key.
    public static func text(of change: RowChange) -> String? {
        guard let key = change.key else { return nil }
        return text(database: change.source.database, table: change.table, key: key)
    }

    static func text(database: String, table: TableName, key: RowKey) -> String {
        let text = "\(database)/\(table)/\(key.text)"
        guard text.utf8.count > mostBytes else { return text }
        var hash = FNV1a()
        for byte in text.utf8 { hash.combine(byte) }
        let start = text.utf8.prefix(mostBytes - 17)
        return String(decoding: start, as: UTF8.self).prefixBytes(mostBytes - 17) + "#" + hash.value.hexDigits
    }
}

extension String {
    /// The longest beginning of at most so many bytes that ends between two characters.
    fileprivate func prefixBytes(_ count: Int) -> String {
        var bytes = 0
        return String(
            prefix { character in
                bytes += character.utf8.count
                return bytes <= count
            })
    }
}
