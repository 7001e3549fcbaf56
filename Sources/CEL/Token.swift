/// A word of the text and where it starts.
struct Token: Equatable {
    enum Kind: Equatable {
        case literal(CELValue)
        /// A number without its sign: the smallest integer has a magnitude that is no positive one.
        case integer(UInt64)
        case name(String)
        /// A word that the grammar keeps for itself: `in`, or one of the words that it does not use yet.
        case reserved(String)
        /// An operator or a bracket.
        case symbol(String)
        case end
    }

    let kind: Kind
    let offset: Int

    /// As in messages.
    var text: String {
        switch kind {
        case .literal(let value): "a \(value.kind) literal"
        case .integer(let number): "\(number)"
        case .name(let name): "'\(name)'"
        case .reserved(let word), .symbol(let word): "'\(word)'"
        case .end: "the end of the condition"
        }
    }
}

extension Token {
    /// The words that CEL keeps for other languages that include it (CEL specification, "Syntax", RESERVED).
    static let reservedWords: Set<String> = [
        "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace",
        "return",
        "var", "void", "while",
    ]

    static let symbols = [
        "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}",
    ]
}
