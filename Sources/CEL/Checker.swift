internal import Bytes

/// Checks names and types, computes the cost, and builds the program (CEL specification, "Gradual type checking").
struct Checker {
    /// A checked part of the expression.
    struct Checked {
        var step: Int
        var type: CELType
        /// The worst case of one evaluation.
        var cost: Cost
        /// The most bytes of a text, or elements of a list.
        var size: Int
        var isConstant = false
    }

    struct Local {
        let name: String
        let type: CELType
        let index: Int
        let size: Int
    }

    let declarations: CELDeclarations
    let limits: CELLimits
    var program = Program()
    /// The variables of the macros around this place, the innermost last.
    var locals: [Local] = []
    private var slots: [CELInput: Int] = [:]

    static func check(_ expression: Expression, _ declarations: CELDeclarations, _ limits: CELLimits) throws(Fault) -> (Program, CELType) {
        var checker = Checker(declarations: declarations, limits: limits)
        checker.program.limits = limits
        let root = try checker.check(expression)
        guard root.cost.steps <= limits.cost else {
            throw Fault(
                expression.start,
                "an evaluation can cost \(root.cost.steps) steps, more than \(limits.cost): leave out a contains, exists or all")
        }
        checker.program.root = root.step
        checker.program.cost = root.cost.steps
        return (checker.program, root.type)
    }

    private init(declarations: CELDeclarations, limits: CELLimits) {
        self.declarations = declarations
        self.limits = limits
    }

    mutating func check(_ expression: Expression) throws(Fault) -> Checked {
        let offset = expression.offset
        switch expression.kind {
        case .literal(let value): return constant(value, at: offset)
        case .name(let name): return try checkName(name, offset)
        case .select(let target, let field): return try checkSelection(field, of: target, offset)
        case .index(let target, let index): return try checkIndex(index, of: target, offset)
        case .call(let target, let function, let arguments): return try checkCall(target, function, arguments, offset)
        case .list(let elements): return try checkList(elements, offset)
        case .not(let operand):
            let operand = try check(operand)
            guard operand.type == .bool || operand.type == .dyn else { throw Fault(offset, "expected bool after !, got \(operand.type)") }
            return try operation(.not(operand.step), .bool, [operand], at: offset)
        case .negate(let operand):
            let operand = try check(operand)
            guard [.int, .double, .dyn].contains(operand.type) else {
                throw Fault(offset, "expected a number after -, got \(operand.type)")
            }
            return try operation(.negate(operand.step), operand.type, [operand], at: offset)
        case .binary(let symbol, let left, let right): return try checkBinary(symbol, left, right, offset)
        case .logic(let symbol, let operands): return try checkLogic(symbol, operands, offset)
        case .conditional(let condition, let positive, let negative):
            return try checkConditional(condition, positive, negative, offset)
        }
    }

    // MARK: Steps

    mutating func constant(_ value: CELValue, at offset: Int) -> Checked {
        Checked(
            step: program.addConstant(value, at: offset), type: CELType(of: value), cost: Cost(1), size: value.checkedSize, isConstant: true
        )
    }

    /// Adds an operation. Its value is computed now when its operands are constants and the operation succeeds.
    mutating func operation(
        _ step: Program.Step, _ type: CELType, _ operands: [Checked], cost: Cost = Cost(1), size: Int? = nil, at offset: Int
    ) throws(Fault) -> Checked {
        let index = program.add(step, at: offset)
        if operands.allSatisfy(\.isConstant), let value = try? Evaluator(program).run(index, { _ in nil }) {
            return constant(value, at: offset)
        }
        let total = operands.reduce(cost) { $0 + $1.cost }
        return Checked(step: index, type: type, cost: total, size: size ?? self.size(of: type))
    }

    /// Reads an input. The same input has the same slot everywhere.
    mutating func slot(_ input: CELInput) -> Int {
        if let slot = slots[input] { return slot }
        program.inputs.append(input)
        slots[input] = program.inputs.count - 1
        return program.inputs.count - 1
    }

    func size(of type: CELType) -> Int {
        switch type {
        case .list, .map: limits.listElements
        case .string, .bytes, .dyn: limits.stringBytes
        default: 0
        }
    }

    // MARK: Names

    private mutating func checkName(_ name: String, _ offset: Int) throws(Fault) -> Checked {
        if let local = locals.last(where: { $0.name == name }) {
            return Checked(step: program.add(.local(local.index), at: offset), type: local.type, cost: Cost(1), size: local.size)
        }
        if let type = declarations.variables[name] {
            let step = program.add(.slot(slot(.variable(name))), at: offset)
            return Checked(step: step, type: type, cost: Cost(1), size: size(of: type))
        }
        if declarations.record(name) != nil {
            throw Fault(offset, "'\(name)' has no value of its own: name a field, as in \(name).\(exampleField(of: name))")
        }
        if declarations.row?.fields[name] != nil {
            throw Fault(offset, "unknown name '\(name)': the column is after.\(name) or before.\(name)")
        }
        let known = declarations.names + locals.map(\.name)
        throw Fault(offset, "unknown name '\(name)'\(NearestName.hint(for: name, among: known))")
    }

    private func exampleField(of record: String) -> String { declarations.record(record)?.fields.keys.min() ?? "name" }

    /// The record that an expression names; nil when it is another expression.
    func record(_ expression: Expression) -> (name: String, record: CELRecord)? {
        guard case .name(let name) = expression.kind, !locals.contains(where: { $0.name == name }), declarations.variables[name] == nil,
            let record = declarations.record(name)
        else { return nil }
        return (name, record)
    }

    func type(of field: String, of record: (name: String, record: CELRecord), _ offset: Int) throws(Fault) -> CELType {
        if let type = record.record.type(of: field) { return type }
        let what = CELColumn.Row(rawValue: record.name) == nil ? "field" : "column"
        throw Fault(
            offset, "'\(record.name)' has no \(what) '\(field)'\(NearestName.hint(for: field, among: Array(record.record.fields.keys)))")
    }

    mutating func fieldSlot(_ field: String, of record: String) -> Int {
        if let row = CELColumn.Row(rawValue: record) {
            slot(.column(CELColumn(row: row, name: field)))
        } else {
            slot(.field(record: record, name: field))
        }
    }

    private mutating func checkField(_ field: String, of record: (name: String, record: CELRecord), _ offset: Int) throws(Fault) -> Checked
    {
        let type = try type(of: field, of: record, offset)
        let step = program.add(.slot(fieldSlot(field, of: record.name)), at: offset)
        return Checked(step: step, type: type, cost: Cost(1), size: size(of: type))
    }

    private mutating func checkSelection(_ field: String, of target: Expression, _ offset: Int) throws(Fault) -> Checked {
        if let record = record(target) { return try checkField(field, of: record, offset) }
        let value = try check(target)
        let type = try memberType(of: value.type, field, offset)
        let name = program.addConstant(.string(field), at: offset)
        return try operation(.select(value.step, nameConstant: constantIndex(name)), type, [value], at: offset)
    }

    func constantIndex(_ step: Int) -> Int { if case .constant(let index) = program.steps[step] { index } else { 0 } }

    func memberType(of type: CELType, _ field: String, _ offset: Int) throws(Fault) -> CELType {
        switch type {
        case .dyn: return .dyn
        case .map(let member): return member
        default: throw Fault(offset, "expected a map left of '.\(field)', got \(type)")
        }
    }

    private mutating func checkIndex(_ index: Expression, of target: Expression, _ offset: Int) throws(Fault) -> Checked {
        if let record = record(target) {
            guard case .literal(.string(let field)) = index.kind else {
                throw Fault(index.start, "expected a string literal as the index of '\(record.name)'")
            }
            return try checkField(field, of: record, index.offset)
        }
        let (container, key) = (try check(target), try check(index))
        let type: CELType
        switch (container.type, key.type) {
        case (.list(let element), .int), (.list(let element), .dyn): type = element
        case (.map(let member), .string), (.map(let member), .dyn): type = member
        case (.dyn, .int), (.dyn, .string), (.dyn, .dyn): type = .dyn
        case (.list, _): throw Fault(index.start, "expected int as the index of a list, got \(key.type)")
        case (.map, _): throw Fault(index.start, "expected string as the index of a map, got \(key.type)")
        case (.dyn, _): throw Fault(index.start, "expected int or string as an index, got \(key.type)")
        default: throw Fault(offset, "expected a list or a map left of '[', got \(container.type)")
        }
        return try operation(.index(container.step, key.step), type, [container, key], at: offset)
    }

    private mutating func checkList(_ elements: [Expression], _ offset: Int) throws(Fault) -> Checked {
        guard elements.count <= limits.listElements else {
            throw Fault(offset, "the list has \(elements.count) elements, more than \(limits.listElements)")
        }
        var checked: [Checked] = []
        for element in elements { checked.append(try check(element)) }
        let type = checked.first.map { first in checked.dropFirst().reduce(first.type) { $0.joined(with: $1.type) } } ?? .dyn
        let operands = program.addOperands(checked.map(\.step))
        return try operation(.list(operands: operands), .list(type), checked, size: elements.count, at: offset)
    }
}

/// A number of steps that stays at the largest one instead of overflowing.
struct Cost {
    let steps: Int

    init(_ steps: Int) { self.steps = steps }

    static func + (a: Cost, b: Cost) -> Cost {
        let (sum, overflow) = a.steps.addingReportingOverflow(b.steps)
        return Cost(overflow ? .max : sum)
    }

    /// Of as many bytes of text.
    init(bytes: Cost) { steps = bytes.steps / Comparison.bytesPerUnit }

    static func * (a: Cost, times: Int) -> Cost {
        let (product, overflow) = a.steps.multipliedReportingOverflow(by: times)
        return Cost(overflow ? .max : product)
    }
}

extension CELType {
    init(of value: CELValue) {
        switch value {
        case .null: self = .null
        case .bool: self = .bool
        case .int: self = .int
        case .double: self = .double
        case .string: self = .string
        case .bytes: self = .bytes
        case .timestamp: self = .timestamp
        case .duration: self = .duration
        case .list(let elements):
            let types = elements.map { CELType(of: $0) }
            self = .list(types.first.map { first in types.dropFirst().reduce(first) { $0.joined(with: $1) } } ?? .dyn)
        case .map(let members):
            let types = members.values.map { CELType(of: $0) }
            self = .map(types.first.map { first in types.dropFirst().reduce(first) { $0.joined(with: $1) } } ?? .dyn)
        case .unknown: self = .dyn
        }
    }
}

extension CELValue {
    /// The bytes of a text, or the elements of a list.
    fileprivate var checkedSize: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .list(let elements): elements.count
        case .map(let members): members.count
        default: 0
        }
    }
}
