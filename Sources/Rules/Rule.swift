internal import CEL
public import ChangeCapture

/// What a change of a row of one table has to be, whom it concerns, and what they get.
///
/// More than twelve stored properties: one for each member of a rule in the file.
public struct Rule: Sendable {
    /// Unique in the file; part of the identity of the entries that the rule makes.
    public let name: String
    public let table: TableName
    public let operations: Set<RowChange.Operation>
    /// Nil: each change of these operations.
    let condition: RuleCondition?
    /// What must go on holding for the entry to stay; nil: the entry stays until the row is deleted.
    let holds: RuleCondition?
    let targets: [RuleText]
    let type: String
    let title: [LocalizedText]
    let body: [LocalizedText]
    let link: RuleText?
    let context: RuleText?
    /// The columns whose values leave with the entry, as `data`.
    let data: [String]
    let priority: String?
    let group: RuleText?
    let collapse: RuleText?
    /// Milliseconds after the change.
    let lifetime: Int64?
    /// `hint` unless the rule says otherwise: the entry names what changed, and the page fetches it.
    let form: String
    let needsReceipt: Bool
    /// The line of the file.
    let line: Int
}

/// A text in one language. The language is empty when the rule has the same text for all.
struct LocalizedText: Sendable {
    let language: String
    let text: RuleText
}

extension Rule {
    /// The columns whose values reach a client, in the order of their names. The values of all other columns stay in the hub.
    public var leavingColumns: [String] {
        let texts = title.map(\.text) + body.map(\.text) + targets + [link, context, group, collapse].compactMap { $0 }
        return Set(texts.flatMap(\.columns) + data).sorted()
    }

    /// Nil: each change of these operations.
    public var conditionText: String? { condition?.text }

    /// Whether the condition compares with the old row, which only comes under `REPLICA IDENTITY FULL`.
    public var needsOldRow: Bool { condition?.needsOldRow ?? false || holds?.needsOldRow ?? false }
}
