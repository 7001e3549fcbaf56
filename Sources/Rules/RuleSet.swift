internal import CEL
public import ChangeCapture
internal import Messaging

/// All rules of a file, found by the table and the operation of a change, and then by a column that they compare with a constant.
public struct RuleSet: Sendable {
    public let rules: [Rule]
    /// What the rows of tables grant.
    public let access: [AccessRule]
    /// What the file says of tables, for the decoder.
    public let changes: ChangeOptions
    private let tables: [TableName: TableRules]

    private let accessTables: [TableName: [AccessRule]]

    public static let empty = RuleSet(rules: [], access: [], changes: ChangeOptions())

    init(rules: [Rule], access: [AccessRule], changes: ChangeOptions) {
        self.rules = rules
        self.access = access
        accessTables = Dictionary(grouping: access, by: \.table)
        self.changes = changes
        tables = Dictionary(grouping: rules, by: \.table).mapValues { TableRules($0) }
    }

    public var isEmpty: Bool { rules.isEmpty && access.isEmpty }

    /// Snapshot reads make no events, because no rule can name them: the rows were there before. They grant what they grant.
    public func outcome(of change: RowChange) -> RuleOutcome {
        var outcome = RuleOutcome()
        let (rules, access) = (tables[change.table], accessTables[change.table])
        guard rules != nil || access != nil else { return outcome }
        let row = CausingRow.text(of: change)
        for rule in access ?? [] { rule.apply(to: change, row, &outcome) }
        guard let rules else { return outcome }
        if change.operation == .delete, let row { outcome.retractions.append(RuleRetraction(row: row, rule: nil)) }
        for index in rules.candidates(change) { rules.rules[index].apply(to: change, row, &outcome) }
        return outcome
    }
}

/// The rules of one table, by their index in it.
private struct TableRules: Sendable {
    let rules: [Rule]
    /// The rules that every change may concern.
    private var unindexed: [Int] = []
    /// The rules that need one of some values in a column. Most tables have one such column, such as a status.
    private var indexed: [String: [IndexValue: [Int]]] = [:]

    init(_ rules: [Rule]) {
        self.rules = rules
        for (index, rule) in rules.enumerated() {
            guard let (column, values) = rule.indexableEquality else {
                unindexed.append(index)
                continue
            }
            for value in values { indexed[column, default: [:]][value, default: []].append(index) }
        }
    }

    /// The rules that may make an event of the change or retract an entry, in the order of the file. An indexed rule makes an event only when
    /// the new row has one of its values, and retracts only when the old row had one, or is not known.
    func candidates(_ change: RowChange) -> [Int] {
        let all = Array(rules.indices)
        guard !indexed.isEmpty, change.operation != .delete, let after = change.after else { return all }
        var rows = [after]
        if change.operation == .update {
            guard let before = change.before else { return all }
            rows.append(before)
        }
        var found = Set(unindexed)
        for (column, rulesByValue) in indexed {
            for row in rows {
                guard let value = IndexValue(row[column]) else { return all }
                found.formUnion(rulesByValue[value] ?? [])
            }
        }
        return found.sorted()
    }
}

/// A value that two rules and a row can be compared by without evaluating a condition.
private enum IndexValue: Hashable, Sendable {
    case text(String)
    case integer(Int64)
    case bool(Bool)
    case null

    /// Nil for values that equal others of another kind, or that are not known.
    init?(_ value: ColumnValue) {
        switch value {
        case .string(let text): self = .text(text)
        case .int(let number): self = .integer(number)
        case .bool(let value): self = .bool(value)
        case .null: self = .null
        default: return nil
        }
    }

    init?(_ value: CELValue) {
        switch value {
        case .string(let text): self = .text(text)
        case .int(let number): self = .integer(number)
        case .bool(let value): self = .bool(value)
        case .null: self = .null
        default: return nil
        }
    }
}

extension Rule {
    /// Nil also for a rule with `holds`, whose entry may stay when the value changes.
    fileprivate var indexableEquality: (column: String, values: [IndexValue])? {
        guard holds == nil else { return nil }
        for equality in condition?.equalities ?? [] where equality.column.row == .after {
            let values = equality.values.compactMap { IndexValue($0) }
            if values.count == equality.values.count { return (equality.column.name, values) }
        }
        return nil
    }

    fileprivate func apply(to change: RowChange, _ row: String?, _ outcome: inout RuleOutcome) {
        if operations.contains(change.operation) {
            switch condition?.evaluate(change) ?? .isTrue {
            case .isTrue:
                do throws(RuleFailure) {
                    let events = try events(of: change, row)
                    if change.operation == .update, let row { outcome.retractions.append(RuleRetraction(row: row, rule: name)) }
                    outcome.events += events
                } catch {
                    outcome.failures.append(RuleFailure(rule: name, detail: error.detail))
                }
                return
            case .unknown: outcome.undecided.append(name)
            case .failure(let failure): outcome.failures.append(RuleFailure(rule: name, detail: "when: \(failure)"))
            case .isFalse: break
            }
        }
        guard change.operation == .update, let row, hasEnded(change) else { return }
        outcome.retractions.append(RuleRetraction(row: row, rule: name))
    }

    /// Whether the row has left the state that the rule asks for. Without the old row it may have left it earlier: then nothing is left to
    /// retract.
    private func hasEnded(_ change: RowChange) -> Bool {
        guard let state = holds ?? condition, let after = change.after, state.holds(for: after, of: change) == false else { return false }
        return change.before.map { state.holds(for: $0, of: change) != false } ?? true
    }
}
