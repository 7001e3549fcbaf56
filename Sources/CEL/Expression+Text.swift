extension Expression: CustomStringConvertible {
    /// The expression in one spelling: double quotes, one space around operators, only the parentheses that it needs.
    var description: String {
        switch kind {
        case .literal(let value): value.literalText
        case .name(let name): name
        case .select(let target, let field): "\(target.text(atLeast: 7)).\(field)"
        case .index(let target, let index): "\(target.text(atLeast: 7))[\(index)]"
        case .call(let target, let function, let arguments):
            "\(target.map { $0.text(atLeast: 7) + "." } ?? "")\(function)(\(Self.list(arguments)))"
        case .list(let elements): "[\(Self.list(elements))]"
        case .not(let operand): "!\(operand.text(atLeast: 6))"
        case .negate(let operand): operand.negatedText
        case .binary(let symbol, let left, let right):
            "\(left.text(atLeast: symbol.precedence)) \(symbol.rawValue) \(right.text(atLeast: symbol.precedence + 1))"
        case .logic(let symbol, let operands):
            operands.map { $0.text(atLeast: precedence + 1) }.joined(separator: " \(symbol.rawValue) ")
        case .conditional(let condition, let a, let b): "\(condition.text(atLeast: 1)) ? \(a.text(atLeast: 1)) : \(b)"
        }
    }

    private static func list(_ elements: [Expression]) -> String { elements.map(\.description).joined(separator: ", ") }

    private func text(atLeast precedence: Int) -> String { self.precedence < precedence ? "(\(self))" : description }

    private var precedence: Int {
        switch kind {
        case .conditional: 0
        case .logic(.or, _): 1
        case .logic(.and, _): 2
        case .binary(let symbol, _, _): symbol.precedence
        case .not, .negate: 6
        case .literal, .name, .select, .index, .call, .list: 7
        }
    }

    /// A minus directly in front of a number is its sign, so a text that starts with a number is in parentheses.
    private var negatedText: String {
        let text = text(atLeast: 6)
        return text.utf8.first?.isDigit == true ? "-(\(text))" : "-\(text)"
    }
}

extension CELValue {
    /// The value as it is written in a condition, as far as the language has a literal for it.
    var literalText: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): value.description
        case .string(let value): Self.quoted(value)
        case .bytes(let value): "b\"" + value.map { "\\x" + Self.hex(UInt32($0), digits: 2) }.joined() + "\""
        case .list(let elements): "[" + elements.map(\.literalText).joined(separator: ", ") + "]"
        case .map(let members):
            "{" + members.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)): \($0.value.literalText)" }.joined(separator: ", ") + "}"
        case .timestamp(let value): "timestamp(\"\(value)\")"
        case .duration(let value): "duration(\"\(value)\")"
        case .unknown(let unknown): "unknown(\(unknown.column))"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 32: quoted += "\\u" + hex(scalar.value, digits: 4)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func hex(_ number: UInt32, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
