/// Builds the tree of an expression from its tokens (CEL specification, "Syntax").
///
/// Its recursion is bounded by `CELLimits.depth`. Chains of binary operators and of selections are loops, and the depth of their trees is
/// checked where a level is added.
struct Parser {
    private let tokens: [Token]
    private let maximumDepth: Int
    private var index = 0
    private var nesting = 0

    static func parse(_ text: String, _ limits: CELLimits) throws(Fault) -> Expression {
        let bytes = text.utf8.count
        guard bytes <= limits.textBytes else { throw Fault(0, "the condition has \(bytes) bytes, more than \(limits.textBytes)") }
        var parser = Parser(tokens: try Lexer.tokens(of: text), maximumDepth: limits.depth)
        let expression = try parser.expression()
        guard parser.token.kind == .end else { throw parser.unexpected("an operator or the end") }
        return expression
    }

    private init(tokens: [Token], maximumDepth: Int) {
        self.tokens = tokens
        self.maximumDepth = min(maximumDepth, CELLimits.greatestDepth)
    }

    /// The last token is the end, which is never passed.
    private var token: Token { tokens[index] }

    private mutating func accept(_ symbol: String) -> Bool {
        guard token.kind == .symbol(symbol) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ symbol: String) throws(Fault) {
        guard accept(symbol) else { throw unexpected("'\(symbol)'") }
    }

    private func unexpected(_ expected: String) -> Fault {
        if case .reserved(let word) = token.kind, word != "in" { return Fault(token.offset, "'\(word)' is a reserved word") }
        return Fault(token.offset, "expected \(expected), got \(token.text)")
    }

    private func node(_ kind: Expression.Kind, at offset: Int) throws(Fault) -> Expression {
        let expression = Expression(kind, at: offset)
        guard expression.depth <= maximumDepth else { throw tooDeep(offset) }
        return expression
    }

    private func tooDeep(_ offset: Int) -> Fault { Fault(offset, "the condition is nested more than \(maximumDepth) levels deep") }

    // MARK: Operators

    private mutating func expression() throws(Fault) -> Expression {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= maximumDepth else { throw tooDeep(token.offset) }
        let condition = try chain(.or)
        let offset = token.offset
        guard accept("?") else { return condition }
        let positive = try chain(.or)
        try expect(":")
        return try node(.conditional(condition, positive, try expression()), at: offset)
    }

    private mutating func chain(_ symbol: LogicOperator) throws(Fault) -> Expression {
        var operands: [Expression] = []
        var offset: Int?
        repeat {
            if !operands.isEmpty, offset == nil { offset = tokens[index - 1].offset }
            operands.append(symbol == .or ? try chain(.and) : try binary(atLeast: BinaryOperator.equal.precedence))
        } while accept(symbol.rawValue)
        guard let offset else { return operands[0] }
        return try node(.logic(symbol, operands), at: offset)
    }

    private var binaryOperator: BinaryOperator? {
        switch token.kind {
        case .symbol(let symbol): BinaryOperator(rawValue: symbol)
        case .reserved("in"): .isIn
        default: nil
        }
    }

    private mutating func binary(atLeast precedence: Int) throws(Fault) -> Expression {
        var left = try unary()
        while let symbol = binaryOperator, symbol.precedence >= precedence {
            let offset = token.offset
            index += 1
            left = try node(.binary(symbol, left, try binary(atLeast: symbol.precedence + 1)), at: offset)
        }
        return left
    }

    private mutating func unary() throws(Fault) -> Expression {
        let offset = token.offset
        let isNot = accept("!")
        guard isNot || accept("-") else { return try member() }
        if !isNot {
            switch token.kind {
            case .integer, .literal(.double): return try member(isNegative: true)
            default: break
            }
        }
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= maximumDepth else { throw tooDeep(offset) }
        let operand = try unary()
        return try node(isNot ? .not(operand) : .negate(operand), at: offset)
    }

    // MARK: Members and primary expressions

    private mutating func member(isNegative: Bool = false) throws(Fault) -> Expression {
        var expression = try primary(isNegative: isNegative)
        while true {
            let offset = token.offset
            if accept(".") {
                if token.kind == .symbol("?") { throw Fault(token.offset, "optional values ('.?') are not supported: use has()") }
                expression = try selection(of: expression)
            } else if accept("[") {
                if token.kind == .symbol("?") { throw Fault(token.offset, "optional values ('[?') are not supported: use has()") }
                let index = try self.expression()
                try expect("]")
                expression = try node(.index(expression, index), at: offset)
            } else if token.kind == .symbol("{") {
                throw Fault(offset, "messages are not supported")
            } else {
                return expression
            }
        }
    }

    private mutating func selection(of target: Expression) throws(Fault) -> Expression {
        let nameOffset = token.offset
        let name: String
        switch token.kind {
        case .name(let text): name = text
        case .reserved(let text) where text != "in": name = text
        default: throw unexpected("a field name")
        }
        index += 1
        guard accept("(") else { return try node(.select(target, name), at: nameOffset) }
        return try node(.call(target: target, function: name, arguments: try list(until: ")")), at: nameOffset)
    }

    private mutating func list(until end: String) throws(Fault) -> [Expression] {
        var elements: [Expression] = []
        while !accept(end) {
            elements.append(try expression())
            if accept(end) { break }
            guard accept(",") else { throw unexpected("',' or '\(end)'") }
            // CEL allows a comma after the last element of a list, and not after the last argument.
            if end == ")", token.kind == .symbol(end) { throw unexpected("an argument") }
        }
        return elements
    }

    private mutating func primary(isNegative: Bool) throws(Fault) -> Expression {
        let (token, offset) = (token, token.offset)
        switch token.kind {
        case .literal(.double(let value)):
            index += 1
            return try node(.literal(.double(isNegative ? -value : value)), at: offset)
        case .literal(let value):
            index += 1
            return try node(.literal(value), at: offset)
        case .integer(let magnitude):
            index += 1
            // The lexer refuses a larger magnitude than that of the smallest integer.
            let value = isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(exactly: magnitude)
            guard let value else { throw Fault(offset, "the integer is outside of 64 bits") }
            return try node(.literal(.int(value)), at: offset)
        case .name(let name):
            index += 1
            guard accept("(") else { return try node(.name(name), at: offset) }
            return try node(.call(target: nil, function: name, arguments: try list(until: ")")), at: offset)
        case .symbol("("):
            index += 1
            let expression = try expression()
            try expect(")")
            return expression
        case .symbol("["):
            index += 1
            return try node(.list(try list(until: "]")), at: offset)
        case .symbol("{"): throw Fault(offset, "map literals are not supported")
        case .symbol("."): throw Fault(offset, "names that start with '.' are not supported")
        default: throw unexpected("a value")
        }
    }
}
