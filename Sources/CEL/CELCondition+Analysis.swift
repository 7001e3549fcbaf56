/// A column that has one of a few values whenever the condition is true.
public struct CELEquality: Equatable, Sendable {
    public let column: CELColumn
    /// The values, of which the column has one. An integer also equals the double of the same value.
    public let values: [CELValue]

    public init(column: CELColumn, values: [CELValue]) {
        self.column = column
        self.values = values
    }
}

extension CELCondition {
    /// The requirements of the condition for single columns: its parts, joined by &&, of the form `column == constant`, `column in [constants]` and
    /// `became(column, constant)`. An index of conditions finds by them those that may be true. A condition without any may
    /// always be true. A column that is unknown has none of the values, and the condition is unknown or false.
    public var equalities: [CELEquality] { program.equalities(of: program.root) }

    /// The columns that it reads.
    public var columns: Set<CELColumn> {
        Set(program.inputs.compactMap { input in if case .column(let column) = input { column } else { nil } })
    }

    /// Whether it reads the old row. PostgreSQL delivers columns outside of the key only with REPLICA IDENTITY FULL.
    public var readsBefore: Bool { columns.contains { $0.row == .before } }
}

extension Program {
    fileprivate func equalities(of step: Int) -> [CELEquality] {
        switch steps[step] {
        case .logic(.and, let range): operands[range].flatMap { equalities(of: $0) }
        case .binary(.equal, let a, let b): [equality(a, b) ?? equality(b, a)].compactMap { $0 }
        case .binary(.isIn, let element, let list):
            if let column = column(element), case .list(let values)? = constant(list) {
                [CELEquality(column: column, values: values)]
            } else {
                []
            }
        case .became(let value, _, let slot):
            if case .column(let column) = inputs[slot], let value = constant(value) {
                [CELEquality(column: column, values: [value])]
            } else {
                []
            }
        default: []
        }
    }

    private func equality(_ step: Int, _ other: Int) -> CELEquality? {
        guard let column = column(step), let value = constant(other) else { return nil }
        return CELEquality(column: column, values: [value])
    }

    private func column(_ step: Int) -> CELColumn? {
        guard case .slot(let slot) = steps[step], case .column(let column) = inputs[slot] else { return nil }
        return column
    }
}
