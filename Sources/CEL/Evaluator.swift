/// An error of a step. The step gives its place in the text.
struct StepFailure: Error {
    let reason: CELFailureReason
    let step: Int
}

/// Runs a program. It cannot trap, and its time is bounded by the program's cost.
struct Evaluator: Sendable {
    typealias Inputs = (_ slot: Int) -> CELValue?

    let program: Program
    private let operations: Operations

    init(_ program: Program) {
        self.program = program
        operations = Operations(limits: program.limits)
    }

    func run(_ step: Int, _ inputs: Inputs) throws(StepFailure) -> CELValue {
        var locals = program.locals.map { _ in CELValue.null }
        return try value(of: step, inputs, &locals)
    }

    private func value(of step: Int, _ inputs: Inputs, _ locals: inout [CELValue]) throws(StepFailure) -> CELValue {
        switch program.steps[step] {
        case .constant(let index): return program.constants[index]
        case .slot(let slot):
            guard let value = inputs(slot) else { throw StepFailure(reason: .noSuchKey(program.inputs[slot].key), step: step) }
            return value
        case .local(let index): return locals[index]
        case .hasSlot(let slot): return .bool(inputs(slot) != nil)
        case .list(let operands): return try list(operands, inputs, &locals)
        case .logic(let symbol, let operands): return try logic(symbol, operands, step, inputs, &locals)
        case .quantified(let quantifier, let list, let local, let predicate):
            return try quantified(quantifier, list, local, predicate, step, inputs, &locals)
        case .conditional(let condition, let positive, let negative):
            switch try value(of: condition, inputs, &locals) {
            case .bool(let isTrue): return try value(of: isTrue ? positive : negative, inputs, &locals)
            case .unknown(let unknown): return .unknown(unknown)
            case let other: throw StepFailure(reason: .noSuchOverload(operation: "?:", kinds: [other.kind]), step: step)
            }
        case .select(let target, _), .hasField(let target, _), .not(let target), .negate(let target), .call(_, let target):
            let operand = try value(of: target, inputs, &locals)
            if case .unknown = operand { return operand }
            return try attempt(step) { () throws(CELFailureReason) in try unary(step, operand) }
        case .index(let left, let right), .binary(_, let left, let right), .textCall(_, let left, let right):
            let a = try value(of: left, inputs, &locals)
            if case .unknown = a { return a }
            let b = try value(of: right, inputs, &locals)
            if case .unknown = b { return b }
            return try attempt(step) { () throws(CELFailureReason) in try binary(step, a, b) }
        case .changed(let beforeSlot, let afterSlot):
            let (before, after) = (inputs(beforeSlot), inputs(afterSlot))
            return try attempt(step) { () throws(CELFailureReason) in try changed(before, after, afterSlot) }
        case .became(let operand, let beforeSlot, let afterSlot):
            let target = try value(of: operand, inputs, &locals)
            if case .unknown = target { return target }
            let (before, after) = (inputs(beforeSlot), inputs(afterSlot))
            return try attempt(step) { () throws(CELFailureReason) in try became(target, before, after, afterSlot) }
        }
    }

    private func attempt(_ step: Int, _ body: () throws(CELFailureReason) -> CELValue) throws(StepFailure) -> CELValue {
        do { return try body() } catch { throw StepFailure(reason: error, step: step) }
    }

    private func name(_ constant: Int) -> String {
        if case .string(let name) = program.constants[constant] { name } else { "" }
    }

    private func unary(_ step: Int, _ operand: CELValue) throws(CELFailureReason) -> CELValue {
        switch program.steps[step] {
        case .select(_, let constant): try operations.select(name(constant), of: operand)
        case .hasField(_, let constant): .bool(try operations.hasField(name(constant), of: operand))
        case .not: try operations.not(operand)
        case .call(let function, _): try operations.call(function, operand)
        default: try operations.negate(operand)
        }
    }

    private func binary(_ step: Int, _ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> CELValue {
        switch program.steps[step] {
        case .binary(let symbol, _, _): try operations.binary(symbol, a, b)
        case .textCall(let function, _, _): try operations.text(function, a, b)
        default: try operations.element(b, of: a)
        }
    }

    private func list(_ operands: Range<Int>, _ inputs: Inputs, _ locals: inout [CELValue]) throws(StepFailure) -> CELValue {
        var elements: [CELValue] = []
        for operand in operands {
            let element = try value(of: program.operands[operand], inputs, &locals)
            if case .unknown = element { return element }
            elements.append(element)
        }
        return .list(elements)
    }

    // MARK: Logic

    private func logic(
        _ symbol: LogicOperator, _ operands: Range<Int>, _ step: Int, _ inputs: Inputs, _ locals: inout [CELValue]
    ) throws(StepFailure) -> CELValue {
        var chain = LogicChain(symbol, step)
        for operand in operands {
            do throws(StepFailure) { chain.add(try value(of: program.operands[operand], inputs, &locals)) } catch { chain.add(error) }
            if chain.isDecided { break }
        }
        return try chain.result()
    }

    private func quantified(
        _ quantifier: Quantifier, _ list: Int, _ local: Int, _ predicate: Int, _ step: Int, _ inputs: Inputs, _ locals: inout [CELValue]
    ) throws(StepFailure) -> CELValue {
        let elements: [CELValue]
        switch try value(of: list, inputs, &locals) {
        case .list(let values): elements = values
        case .unknown(let unknown): return .unknown(unknown)
        case let other: throw StepFailure(reason: .noSuchOverload(operation: quantifier.rawValue, kinds: [other.kind]), step: step)
        }
        _ = try attempt(step) { () throws(CELFailureReason) in
            try operations.check(elements, "the list of \(quantifier.rawValue)()")
            return .null
        }
        var chain = LogicChain(quantifier == .all ? .and : .or, step)
        for element in elements {
            locals[local] = element
            do throws(StepFailure) { chain.add(try value(of: predicate, inputs, &locals)) } catch { chain.add(error) }
            if chain.isDecided { break }
        }
        return try chain.result()
    }

    // MARK: Both rows

    /// A row that does not exist has no value: an insert changes each column, and so does a delete.
    private func changed(_ before: CELValue?, _ after: CELValue?, _ slot: Int) throws(CELFailureReason) -> CELValue {
        guard before != nil || after != nil else { throw .noSuchKey(program.inputs[slot].key) }
        if case .unknown(let unknown) = after { return unknown.reason == .unchanged ? .bool(false) : .unknown(unknown) }
        if case .unknown = before, let before { return before }
        guard let before, let after else { return .bool(true) }
        var comparison = Comparison(program.limits)
        let isSame = try comparison.same(before, after)
        return .bool(!isSame)
    }

    private func became(
        _ target: CELValue, _ before: CELValue?, _ after: CELValue?, _ slot: Int
    ) throws(CELFailureReason) -> CELValue {
        guard before != nil || after != nil else { throw .noSuchKey(program.inputs[slot].key) }
        guard let after else { return .bool(false) }
        if case .unknown(let unknown) = after { return unknown.reason == .unchanged ? .bool(false) : after }
        var comparison = Comparison(program.limits)
        guard try comparison.equal(after, target) else { return .bool(false) }
        guard let before else { return .bool(true) }
        if case .unknown = before { return before }
        comparison = Comparison(program.limits)
        let wasTarget = try comparison.equal(before, target)
        return .bool(!wasTarget)
    }
}

/// The result of && or || over its operands, in any order of errors (CEL specification, "Logical Operators"): one operand can decide it,
/// whatever the others are. Otherwise an unknown operand makes it unknown, and an error makes it an error.
private struct LogicChain {
    private let symbol: LogicOperator
    private let step: Int
    private var unknown: CELUnknown?
    private var failure: StepFailure?
    private(set) var isDecided = false

    init(_ symbol: LogicOperator, _ step: Int) {
        self.symbol = symbol
        self.step = step
    }

    mutating func add(_ operand: CELValue) {
        switch operand {
        case .bool(let value): isDecided = value == (symbol == .or)
        case .unknown(let unknown): self.unknown = self.unknown ?? unknown
        default: add(StepFailure(reason: .noSuchOverload(operation: symbol.rawValue, kinds: [operand.kind]), step: step))
        }
    }

    mutating func add(_ failure: StepFailure) { self.failure = self.failure ?? failure }

    func result() throws(StepFailure) -> CELValue {
        if isDecided { return .bool(symbol == .or) }
        if let unknown { return .unknown(unknown) }
        if let failure { throw failure }
        return .bool(symbol == .and)
    }
}

extension CELInput {
    /// As in `no such key`.
    var key: String {
        switch self {
        case .variable(let name), .field(_, let name): name
        case .column(let column): column.description
        }
    }
}
