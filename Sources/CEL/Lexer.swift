/// Cuts the text of a condition into tokens (CEL specification, "Syntax").
struct Lexer {
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    static func tokens(of text: String) throws(Fault) -> [Token] {
        var lexer = Lexer(text)
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private func byte(at offset: Int) -> UInt8? { index + offset < bytes.count ? bytes[index + offset] : nil }

    private func text(from start: Int) -> String { String(decoding: bytes[start..<index], as: UTF8.self) }

    private mutating func next() throws(Fault) -> Token {
        skipBlanks()
        let start = index
        guard let first = byte(at: 0) else { return Token(kind: .end, offset: start) }
        if let string = try StringLiteral.parse(bytes, from: start) {
            index = string.end
            return Token(kind: .literal(string.value), offset: start)
        }
        if first.isDigit || first == UInt8(ascii: ".") && byte(at: 1)?.isDigit == true {
            return Token(kind: try number(), offset: start)
        }
        if first.isNameStart {
            while byte(at: 0)?.isNamePart == true { index += 1 }
            return Token(kind: word(text(from: start)), offset: start)
        }
        for symbol in Token.symbols where bytes[start...].starts(with: symbol.utf8) {
            index += symbol.utf8.count
            return Token(kind: .symbol(symbol), offset: start)
        }
        throw Fault(start, unexpected(at: start))
    }

    private mutating func skipBlanks() {
        while let byte = byte(at: 0) {
            switch byte {
            case 9, 10, 12, 13, 32: index += 1
            case UInt8(ascii: "/") where self.byte(at: 1) == UInt8(ascii: "/"):
                while let byte = self.byte(at: 0), byte != 10 {
                    index += 1
                }
            default: return
            }
        }
    }

    private func word(_ word: String) -> Token.Kind {
        switch word {
        case "true": .literal(.bool(true))
        case "false": .literal(.bool(false))
        case "null": .literal(.null)
        case _ where Token.reservedWords.contains(word): .reserved(word)
        default: .name(word)
        }
    }

    private func unexpected(at start: Int) -> String {
        let character = String(decoding: bytes[start...].prefix(64), as: UTF8.self).first.map(String.init) ?? ""
        return switch character {
        case "&", "|": "'\(character)' is no operator: write '\(character)\(character)'"
        case "=": "'=' is no operator: write '==' to compare"
        case "`": "names in backquotes are not supported: write row[\"name\"]"
        default: "unexpected character '\(character)'"
        }
    }

    // MARK: Numbers

    private mutating func number() throws(Fault) -> Token.Kind {
        let start = index
        var kind: Token.Kind
        if byte(at: 0) == UInt8(ascii: "0"), byte(at: 1).map({ $0 | 32 }) == UInt8(ascii: "x") {
            index += 2
            while byte(at: 0)?.hexValue != nil { index += 1 }
            kind = try integer(String(text(from: start).dropFirst(2)), radix: 16, start)
        } else {
            skipDigits()
            var isDouble = false
            if byte(at: 0) == UInt8(ascii: "."), byte(at: 1)?.isDigit == true {
                isDouble = true
                index += 1
                skipDigits()
            }
            if let exponentBytes = exponentBytes {
                isDouble = true
                index += exponentBytes
                skipDigits()
            }
            let text = text(from: start)
            kind = isDouble ? try double(text, start) : try integer(text, radix: 10, start)
        }
        if byte(at: 0).map({ $0 | 32 }) == UInt8(ascii: "u"), byte(at: 1)?.isNamePart != true {
            throw Fault(start, "unsigned integers are not supported: write the number without 'u'")
        }
        if byte(at: 0)?.isNamePart == true { throw Fault(index, "expected an operator after the number") }
        return kind
    }

    private mutating func skipDigits() {
        while byte(at: 0)?.isDigit == true { index += 1 }
    }

    /// The length of `e`, `e+` or `e-` when a digit follows; nil otherwise.
    private var exponentBytes: Int? {
        guard byte(at: 0).map({ $0 | 32 }) == UInt8(ascii: "e") else { return nil }
        let signBytes = byte(at: 1) == UInt8(ascii: "+") || byte(at: 1) == UInt8(ascii: "-") ? 1 : 0
        return byte(at: 1 + signBytes)?.isDigit == true ? 1 + signBytes : nil
    }

    private func integer(_ digits: String, radix: Int, _ start: Int) throws(Fault) -> Token.Kind {
        guard !digits.isEmpty else { throw Fault(start, "expected hexadecimal digits after 0x") }
        guard let magnitude = UInt64(digits, radix: radix), magnitude <= Int64.min.magnitude else {
            throw Fault(start, "the integer is outside of 64 bits")
        }
        return .integer(magnitude)
    }

    private func double(_ text: String, _ start: Int) throws(Fault) -> Token.Kind {
        guard let value = Double(text.first == "." ? "0" + text : text), value.isFinite else {
            throw Fault(start, "the number is too large for a double")
        }
        return .literal(.double(value))
    }
}

extension UInt8 {
    var isDigit: Bool { 48...57 ~= self }
    var isNameStart: Bool { self == UInt8(ascii: "_") || 97...122 ~= self | 32 }
    var isNamePart: Bool { isNameStart || isDigit }

    var hexValue: UInt32? {
        switch self {
        case 48...57: UInt32(self) - 48
        case 65...70: UInt32(self) - 55
        case 97...102: UInt32(self) - 87
        default: nil
        }
    }
}
