internal import CEL
internal import ChangeCapture
internal import JSON

/// The condition of a rule, evaluated over the rows of a change.
struct RuleCondition: Sendable {
    private let condition: CELCondition

    init(_ text: String) throws(CELError) {
        condition = try CELCondition(text, declarations: Self.declarations)
    }

    /// Columns appear and disappear without notice, so any name is accepted, and types are checked when the condition runs.
    private static let declarations = CELDeclarations(
        row: .open, variables: [:],
        records: ["source": CELRecord(["database": .string, "schema": .string, "table": .string, "operation": .string])])

    func sentence(in language: CELLanguage) -> String { condition.sentence(in: language) }
    var needsOldRow: Bool { condition.readsBefore }
    var readColumns: [CELColumn] { condition.inputs.compactMap { if case .column(let column) = $0 { column } else { nil } } }
    var equalities: [CELEquality] { condition.equalities }

    func evaluate(_ change: RowChange) -> CELOutcome {
        condition.evaluate { slot in
            switch condition.inputs[slot] {
            case .column(let column): change.value(of: column)
            case .field(_, let name): change.sourceField(name)
            case .variable: nil
            }
        }
    }

    /// Whether a row is in the state that the condition asks for; nil: that cannot be told. A comparison with the old row describes a moment, so
    /// only the constants that it requires of the new row count then.
    func holds(for row: Row, of change: RowChange) -> Bool? {
        if needsOldRow {
            return condition.equalities.allSatisfy { equality in
                guard equality.column.row == .after, let value = CELValue(row[equality.column.name], of: equality.column, .unchanged)
                else { return true }
                if case .unknown = value { return true }
                return equality.values.contains(value)
            }
        }
        let outcome = condition.evaluate { slot in
            switch condition.inputs[slot] {
            case .column(let column): CELValue(row[column.name], of: column, .unchanged)
            case .field(_, let name): change.sourceField(name)
            case .variable: nil
            }
        }
        return switch outcome {
        case .isTrue: true
        case .isFalse: false
        case .unknown, .failure: nil
        }
    }
}

extension RowChange {
    fileprivate func sourceField(_ name: String) -> CELValue? {
        switch name {
        case "database": .string(source.database)
        case "schema": .string(table.schema)
        case "table": .string(table.table)
        case "operation": .string(operation.rawValue)
        default: nil
        }
    }

    /// Nil when the row or the column does not exist.
    fileprivate func value(of column: CELColumn) -> CELValue? {
        switch column.row {
        case .after: after.flatMap { CELValue($0[column.name], of: column, .unchanged) }
        case .before:
            if let before {
                CELValue(before[column.name], of: column, operation == .delete ? .notDelivered : .unchanged)
            } else if operation == .update {
                .unknown(CELUnknown(column: column, reason: .notDelivered))
            } else {
                nil
            }
        }
    }
}

extension CELValue {
    /// Nil for a column that the row does not have.
    init?(_ value: ColumnValue, of column: CELColumn, _ reason: CELUnknown.Reason) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .notANumber: self = .double(.nan)
        case .infinity: self = .double(.infinity)
        case .negativeInfinity: self = .double(-.infinity)
        // CEL has no exact decimals: whole numbers stay exact, others become the nearest double.
        case .decimal(let text): self = Int64(text).map { .int($0) } ?? Double(text).map { .double($0) } ?? .string(text)
        case .string(let text): self = .string(text)
        case .bytes(let bytes): self = .bytes(bytes)
        case .timestamp(let microseconds): self = Self.timestamp(microseconds) ?? .int(microseconds)
        case .date(let days):
            let (seconds, isTooLarge) = days.multipliedReportingOverflow(by: 86_400)
            self = isTooLarge ? .int(days) : CELTimestamp(seconds: seconds).map { .timestamp($0) } ?? .int(days)
        case .time(let microseconds), .duration(let microseconds):
            let (nanoseconds, isTooLarge) = microseconds.multipliedReportingOverflow(by: 1_000)
            self = isTooLarge ? .int(microseconds) : .duration(CELDuration(nanoseconds: nanoseconds))
        case .json(let text):
            guard let value = try? JSONValue.parse(text) else { return nil }
            self = Self(value)
        case .array(let elements): self = .list(elements.map { Self($0, of: column, reason) ?? .null })
        case .unavailable: self = .unknown(CELUnknown(column: column, reason: reason))
        case .absent: return nil
        }
    }

    private static func timestamp(_ microseconds: Int64) -> CELValue? {
        var (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if rest < 0 { (seconds, rest) = (seconds - 1, rest + 1_000_000) }
        return CELTimestamp(seconds: seconds, nanoseconds: Int32(truncatingIfNeeded: rest * 1_000)).map { .timestamp($0) }
    }

    /// The parser has bounded the depth.
    private init(_ json: JSONValue) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let number): self = number.int64.map { .int($0) } ?? .double(number.double ?? .nan)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .list(elements.map { Self($0) })
        case .object(let object):
            // The parser refuses two members of one name.
            self = .map(Dictionary(object.members.map { ($0.name, Self($0.value)) }) { _, last in last })
        }
    }
}
