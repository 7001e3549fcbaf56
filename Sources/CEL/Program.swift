/// A checked expression, ready to run: a tree of steps in an array. The values of names are found by slot.
struct Program: Sendable {
    /// One operation. The numbers are indices of other steps, unless a label names something else.
    enum Step: Sendable {
        case constant(index: Int)
        case slot(Int)
        /// The variable of a macro.
        case local(Int)
        case select(Int, nameConstant: Int)
        case hasField(Int, nameConstant: Int)
        case hasSlot(Int)
        case index(Int, Int)
        /// `operands` is a range of `Program.operands`, as in the steps below.
        case list(operands: Range<Int>)
        case not(Int)
        case negate(Int)
        case logic(LogicOperator, operands: Range<Int>)
        case conditional(Int, then: Int, otherwise: Int)
        case binary(BinaryOperator, Int, Int)
        case call(Function, Int)
        case textCall(Function, Int, Int)
        case quantified(Quantifier, list: Int, local: Int, predicate: Int)
        case changed(beforeSlot: Int, afterSlot: Int)
        case became(Int, beforeSlot: Int, afterSlot: Int)
    }

    var steps: [Step] = []
    /// The byte of the text for each step.
    var offsets: [Int] = []
    var operands: [Int] = []
    var constants: [CELValue] = []
    /// What each slot stands for.
    var inputs: [CELInput] = []
    /// The names of the macros' variables.
    var locals: [String] = []
    var root = 0
    /// In the steps of `CELLimits.cost`.
    var cost = 0
    var limits = CELLimits.standard

    mutating func add(_ step: Step, at offset: Int) -> Int {
        steps.append(step)
        offsets.append(offset)
        return steps.count - 1
    }

    mutating func addConstant(_ value: CELValue, at offset: Int) -> Int {
        constants.append(value)
        return add(.constant(index: constants.count - 1), at: offset)
    }

    mutating func addOperands(_ children: [Int]) -> Range<Int> {
        let start = operands.count
        operands.append(contentsOf: children)
        return start..<operands.count
    }

    func constant(_ step: Int) -> CELValue? {
        if case .constant(let index) = steps[step] { constants[index] } else { nil }
    }
}

/// The macros over the elements of a list.
enum Quantifier: String, Sendable {
    case all
    case exists
}
