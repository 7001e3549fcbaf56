/// A parsed expression. Expressions are equal when their trees are, wherever they stand.
struct Expression: Equatable {
    indirect enum Kind: Equatable {
        case literal(CELValue)
        case name(String)
        case select(Expression, String)
        case index(Expression, Expression)
        /// A function, a method (with a target) or a macro.
        case call(target: Expression?, function: String, arguments: [Expression])
        case list([Expression])
        case not(Expression)
        case negate(Expression)
        case binary(BinaryOperator, Expression, Expression)
        /// A chain of && or ||: two operands or more.
        case logic(LogicOperator, [Expression])
        case conditional(Expression, Expression, Expression)
    }

    let kind: Kind
    /// The byte of the text that its own errors point to: its operator, or the name of its field or function.
    let offset: Int
    /// Its first byte, without parentheses around it. The errors of an operation on it point there.
    let start: Int
    /// The number of levels, this one included.
    let depth: Int

    init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
        start = min(offset, kind.children.first?.start ?? offset)
        depth = 1 + (kind.children.map(\.depth).max() ?? 0)
    }

    static func == (a: Self, b: Self) -> Bool { a.kind == b.kind }
}

extension Expression.Kind {
    var children: [Expression] {
        switch self {
        case .literal, .name: []
        case .select(let target, _), .not(let target), .negate(let target): [target]
        case .index(let a, let b), .binary(_, let a, let b): [a, b]
        case .call(let target, _, let arguments): (target.map { [$0] } ?? []) + arguments
        case .list(let elements), .logic(_, let elements): elements
        case .conditional(let condition, let a, let b): [condition, a, b]
        }
    }
}

enum LogicOperator: String, Sendable {
    case and = "&&"
    case or = "||"
}

enum BinaryOperator: String, CaseIterable, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"

    /// Operators with a higher precedence bind more tightly. All associate to the left.
    var precedence: Int {
        switch self {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isIn: 3
        case .add, .subtract: 4
        case .multiply, .divide, .remainder: 5
        }
    }
}
