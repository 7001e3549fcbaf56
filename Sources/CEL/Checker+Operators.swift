/// The types and costs of operators.
extension Checker {
    mutating func checkBinary(_ symbol: BinaryOperator, _ left: Expression, _ right: Expression, _ offset: Int) throws(Fault) -> Checked {
        if symbol == .isIn, let record = record(right) {
            guard case .literal(.string(let field)) = left.kind else {
                throw Fault(left.start, "expected a string literal left of 'in \(record.name)'")
            }
            _ = try type(of: field, of: record, left.offset)
            return Checked(step: program.add(.hasSlot(fieldSlot(field, of: record.name)), at: offset), type: .bool, cost: Cost(1), size: 0)
        }
        let (a, b) = (try check(left), try check(right))
        guard let type = Self.result(of: symbol, a.type, b.type) else { throw Fault(offset, Self.refusal(of: symbol, a.type, b.type)) }
        let sum = a.size.addingReportingOverflow(b.size)
        let size = min(self.size(of: type), sum.overflow ? .max : sum.partialValue)
        return try operation(.binary(symbol, a.step, b.step), type, [a, b], cost: cost(of: symbol, a, b), size: size, at: offset)
    }

    private static let times: [(BinaryOperator, CELType, CELType, CELType)] = [
        (.add, .timestamp, .duration, .timestamp), (.add, .duration, .timestamp, .timestamp), (.add, .duration, .duration, .duration),
        (.subtract, .timestamp, .duration, .timestamp), (.subtract, .timestamp, .timestamp, .duration),
        (.subtract, .duration, .duration, .duration),
    ]

    private static let overloads: [(BinaryOperator, CELType, CELType, CELType)] =
        times + [(.add, .string, .string, .string), (.add, .bytes, .bytes, .bytes), (.remainder, .int, .int, .int)]
        + [BinaryOperator.add, .subtract, .multiply, .divide].flatMap { [($0, .int, .int, .int), ($0, .double, .double, .double)] }

    /// Nil when no value of these types has a result.
    private static func result(of symbol: BinaryOperator, _ a: CELType, _ b: CELType) -> CELType? {
        switch symbol {
        case .equal, .notEqual: return a.isComparable(to: b) ? .bool : nil
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard a.isOrdered, b.isOrdered, a.isComparable(to: b) else { return nil }
            return .bool
        case .isIn:
            switch b {
            case .list(let element): return a.isComparable(to: element) ? .bool : nil
            case .map: return a.isComparable(to: .string) ? .bool : nil
            case .dyn: return .bool
            default: return nil
            }
        case .add, .subtract, .multiply, .divide, .remainder:
            if symbol == .add, let list = sumOfLists(a, b) { return list }
            let results = overloads.filter { $0.0 == symbol && $0.1.isSame(a) && $0.2.isSame(b) }.map(\.3)
            guard let first = results.first else { return nil }
            // A list can be in place of `dyn`, too.
            return results.dropFirst().reduce(a == .dyn && b == .dyn ? .dyn : first) { $0.joined(with: $1) }
        }
    }

    private static func sumOfLists(_ a: CELType, _ b: CELType) -> CELType? {
        switch (a, b) {
        case (.list(let a), .list(let b)): .list(a.joined(with: b))
        case (.list, .dyn), (.dyn, .list): .list(.dyn)
        default: nil
        }
    }

    private static func refusal(of symbol: BinaryOperator, _ a: CELType, _ b: CELType) -> String {
        let got = "got \(a) and \(b)"
        switch symbol {
        case .equal, .notEqual: return "expected the same type on both sides of \(symbol.rawValue), \(got)"
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            return "expected two numbers, strings, bytes, bools, timestamps or durations around \(symbol.rawValue), \(got)"
        case .isIn: return "expected a list with elements of the type on the left, or a map with string keys, right of 'in', \(got)"
        default:
            let hint = [a, b] == [.int, .double] || [a, b] == [.double, .int] ? ": convert one of them with int() or double()" : ""
            return "no '\(symbol.rawValue)' for these types, \(got)\(hint)"
        }
    }

    mutating func checkLogic(_ symbol: LogicOperator, _ operands: [Expression], _ offset: Int) throws(Fault) -> Checked {
        var checked: [Checked] = []
        for (index, operand) in operands.enumerated() {
            let value = try check(operand)
            guard value.type == .bool || value.type == .dyn else {
                let side = index == 0 ? "left" : "right"
                throw Fault(operand.start, "expected bool on both sides of \(symbol.rawValue), got \(value.type) on the \(side)")
            }
            checked.append(value)
        }
        let range = program.addOperands(checked.map(\.step))
        return try operation(.logic(symbol, operands: range), .bool, checked, at: offset)
    }

    mutating func checkConditional(
        _ condition: Expression, _ positive: Expression, _ negative: Expression, _ offset: Int
    ) throws(Fault) -> Checked {
        let condition = try check(condition)
        guard condition.type == .bool || condition.type == .dyn else {
            throw Fault(offset, "expected bool left of ?, got \(condition.type)")
        }
        let (a, b) = (try check(positive), try check(negative))
        let isMixed = a.type != b.type && ![a.type, b.type].contains { $0 == .dyn || $0 == .null }
        guard !isMixed || a.type.isList && b.type.isList else {
            throw Fault(offset, "expected one type on both sides of ':', got \(a.type) and \(b.type)")
        }
        let step = Program.Step.conditional(condition.step, then: a.step, otherwise: b.step)
        return try operation(step, a.type.joined(with: b.type), [condition, a, b], size: max(a.size, b.size), at: offset)
    }

    // MARK: Costs

    private func cost(of symbol: BinaryOperator, _ a: Checked, _ b: Checked) -> Cost {
        switch symbol {
        case .isIn:
            guard case .list(let element) = b.type else {
                return b.type == .dyn ? compareCost(a) * limits.listElements + Cost(1) : Cost(1)
            }
            let each = element.isScalar ? Cost(1) : compareCost(a)
            return each * max(1, b.size) + Cost(1)
        case .add, .subtract, .multiply, .divide, .remainder: return Cost(1) + Cost(bytes: Cost(a.size) + Cost(b.size))
        default:
            // Values of different kinds differ at once, so the cheaper side bounds the comparison.
            return Cost(min(compareCost(a).steps, compareCost(b).steps))
        }
    }

    /// The most that one comparison with this value costs.
    func compareCost(_ value: Checked) -> Cost {
        let budget = Comparison.budget(limits)
        switch value.type {
        case .string where value.isConstant, .bytes where value.isConstant:
            return Cost(min(budget, 1 + value.size / Comparison.bytesPerUnit))
        case .string, .bytes, .dyn, .map: return Cost(budget)
        case .list(let element): return element.isScalar ? Cost(1 + value.size) : Cost(budget)
        default: return Cost(1)
        }
    }
}

extension CELType {
    fileprivate var isOrdered: Bool {
        switch self {
        case .dyn, .bool, .int, .double, .string, .bytes, .timestamp, .duration: true
        case .null, .list, .map: false
        }
    }

    var isScalar: Bool {
        switch self {
        case .null, .bool, .int, .double, .timestamp, .duration: true
        case .dyn, .string, .bytes, .list, .map: false
        }
    }

    fileprivate var isList: Bool { if case .list = self { true } else { false } }

    fileprivate func isSame(_ other: CELType) -> Bool { other == .dyn || self == other }
}
