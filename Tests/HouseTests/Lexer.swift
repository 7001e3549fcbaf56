/// Splits Swift source into code tokens and comments: enough to tell a name in code from the same letters in a string or a comment.
/// Interpolations inside strings are code.
struct Lexer {
    enum Kind: Equatable, Sendable { case word, symbol, comment }

    struct Token: Equatable, Sendable {
        var kind: Kind
        var text: String
        /// Counted from 1; of a comment the line it ends on.
        var line: Int
    }

    private let source: [Character]
    private var position = 0
    private var line = 1
    private(set) var tokens: [Token] = []

    static func tokens(of source: String) -> [Token] {
        var lexer = Lexer(source)
        lexer.readCode(untilClosingParenthesis: false)
        return lexer.tokens
    }

    private init(_ source: String) { self.source = Array(source) }

    private func peek(_ ahead: Int = 0) -> Character? {
        position + ahead < source.count ? source[position + ahead] : nil
    }

    private mutating func advance() -> Character? {
        guard let character = peek() else { return nil }
        position += 1
        if character.isNewline { line += 1 }
        return character
    }

    private func stands(_ text: String) -> Bool {
        var ahead = 0
        for character in text {
            guard peek(ahead) == character else { return false }
            ahead += 1
        }
        return true
    }

    private mutating func skip(_ count: Int) {
        for _ in 0..<count { _ = advance() }
    }

    private mutating func readCode(untilClosingParenthesis: Bool) {
        var depth = 0
        while let character = peek() {
            if stands("//") {
                readLineComment()
            } else if stands("/*") {
                readBlockComment()
            } else if character == "\"" {
                readString(hashes: 0)
            } else if character == "#", let hashes = hashesBeforeString() {
                skip(hashes)
                readString(hashes: hashes)
            } else if character.isLetter || character == "_" {
                readWord()
            } else if character.isNumber {
                readNumber()
            } else if character.isWhitespace || character == "`" {
                skip(1)
            } else {
                if character == "(" { depth += 1 }
                if character == ")" {
                    if untilClosingParenthesis, depth == 0 {
                        skip(1)
                        return
                    }
                    depth -= 1
                }
                tokens.append(Token(kind: .symbol, text: String(character), line: line))
                skip(1)
            }
        }
    }

    private mutating func readWord() {
        var word = ""
        while let character = peek(), character.isLetter || character.isNumber || character == "_" {
            word.append(character)
            skip(1)
        }
        tokens.append(Token(kind: .word, text: word, line: line))
    }

    private mutating func readNumber() {
        while let character = peek(), character.isLetter || character.isNumber || character == "_" { skip(1) }
    }

    private mutating func readLineComment() {
        var text = ""
        while let character = peek(), !character.isNewline {
            text.append(character)
            skip(1)
        }
        tokens.append(Token(kind: .comment, text: text, line: line))
    }

    private mutating func readBlockComment() {
        var text = ""
        var depth = 0
        repeat {
            if stands("/*") { depth += 1 } else if stands("*/") { depth -= 1 }
            let width = stands("/*") || stands("*/") ? 2 : 1
            for _ in 0..<width { if let character = advance() { text.append(character) } }
        } while depth > 0 && peek() != nil
        tokens.append(Token(kind: .comment, text: text, line: line))
    }

    private func hashesBeforeString() -> Int? {
        var count = 0
        while peek(count) == "#" { count += 1 }
        return peek(count) == "\"" ? count : nil
    }

    private mutating func readString(hashes: Int) {
        let isMultiline = stands("\"\"\"")
        let quote = isMultiline ? "\"\"\"" : "\""
        let end = quote + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        skip(quote.count)
        while let character = peek() {
            if stands(end) {
                skip(end.count)
                return
            } else if stands(escape + "(") {
                skip(escape.count + 1)
                readCode(untilClosingParenthesis: true)
            } else if stands(escape) {
                skip(escape.count + 1)
            } else if character.isNewline, !isMultiline {
                return  // no string: a lone quote, for example in a regular expression
            } else {
                skip(1)
            }
        }
    }
}
