internal import CEL
public import ChangeCapture

/// One rule: the changes of a table that match it, the people whom they concern, and the entry that these people get.
///
/// More than twelve stored properties: one for each member of a rule in the file.
public struct Rule: Sendable {
    /// Unique in the file; part of the identity of the entries that the rule makes.
    public let name: String
    public let table: TableName
    public let operations: Set<RowChange.Operation>
    /// Nil: each change of these operations.
    let condition: RuleCondition?
    /// The entry stays as long as this condition is true; nil: the entry stays until the row is deleted.
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

    /// A sentence about the rule, for people who do not know the language of conditions.
    public func sentence(in language: RuleLanguage) -> String {
        let operations = RowChange.Operation.allCases.filter(self.operations.contains).map { $0.name(in: language) }
        let people = targets.map(\.source).joined(separator: ", ")
        switch language {
        case .english:
            let when = condition.map { " when \($0.sentence(in: .english))" } ?? ""
            return "\(operations.joined(separator: " or ")) of a row of \(table)\(when): \(type) to \(people)"
        case .french:
            let when = condition.map { " quand \($0.sentence(in: .french))" } ?? ""
            return "\(operations.joined(separator: " ou ")) d’une ligne de \(table)\(when) : \(type) à \(people)"
        }
    }

    /// Whether the condition compares with the old row, which only comes under `REPLICA IDENTITY FULL`.
    public var needsOldRow: Bool { condition?.needsOldRow ?? false || holds?.needsOldRow ?? false }
}

/// The languages in which rules describe themselves.
public enum RuleLanguage: String, CaseIterable, Sendable {
    case english = "en"
    case french = "fr"
}

extension RowChange.Operation {
    fileprivate func name(in language: RuleLanguage) -> String {
        switch (self, language) {
        case (.insert, .english): "insert"
        case (.insert, .french): "ajout"
        case (.update, .english): "update"
        case (.update, .french): "modification"
        case (.delete, .english): "delete"
        case (.delete, .french): "suppression"
        case (.snapshotRead, _), (.incrementalSnapshotRead, _): "snapshot"
        }
    }
}
