internal import CEL
internal import ChangeCapture

/// What a rule reads of its table, for a check against the real one.
public struct RuleNeeds: Equatable, Sendable {
    /// All columns that the rule names, in the order of their names.
    public let columns: [String]
    /// The columns of which it needs the old value (`before`, `became`, `changed`): only `REPLICA IDENTITY FULL` gives them.
    public let oldColumns: [String]
    /// The columns of a deleted row that it needs. Without `FULL` a delete has the columns of the key alone.
    public let deletedColumns: [String]
    /// Whether entries of the rule can be taken back, so that a row must be found again by its key.
    public let retracts: Bool
}

extension Rule {
    public var needs: RuleNeeds {
        let conditions = [condition, holds].compactMap { $0 }
        let old = conditions.flatMap(\.oldColumns)
        let texts = leavingColumns
        return RuleNeeds(
            columns: Set(conditions.flatMap(\.columns) + texts).sorted(), oldColumns: Set(old).sorted(),
            deletedColumns: operations.contains(.delete) ? Set(texts + old).sorted() : [],
            retracts: operations != [.delete])
    }
}

extension RuleCondition {
    fileprivate var columns: [String] { readColumns.map(\.name) }
    fileprivate var oldColumns: [String] { readColumns.filter { $0.row == .before }.map(\.name) }
}
