/// Parses string and bytes literals (CEL specification, "String and Bytes Values").
struct StringLiteral {
    private let bytes: [UInt8]
    private let start: Int
    private var index: Int
    private var isRaw = false
    private var isBytes = false
    private var content: [UInt8] = []

    /// The value and the offset after it; nil when no string starts here.
    static func parse(_ bytes: [UInt8], from start: Int) throws(Fault) -> (value: CELValue, end: Int)? {
        var literal = StringLiteral(bytes: bytes, start: start, index: start)
        guard let delimiter = literal.delimiter() else { return nil }
        try literal.read(to: delimiter)
        let value: CELValue = literal.isBytes ? .bytes(literal.content) : .string(String(decoding: literal.content, as: UTF8.self))
        return (value, literal.index)
    }

    private init(bytes: [UInt8], start: Int, index: Int) {
        self.bytes = bytes
        self.start = start
        self.index = index
    }

    /// Reads the prefix and the quotes.
    private mutating func delimiter() -> [UInt8]? {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "r"), UInt8(ascii: "R"):
                guard !isRaw else { return nil }
                isRaw = true
            case UInt8(ascii: "b"), UInt8(ascii: "B"):
                guard !isBytes else { return nil }
                isBytes = true
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                let quote = bytes[index]
                let isTriple = bytes[index...].starts(with: [quote, quote, quote])
                let delimiter: [UInt8] = isTriple ? [quote, quote, quote] : [quote]
                index += delimiter.count
                return delimiter
            default: return nil
            }
            index += 1
        }
        return nil
    }

    private mutating func read(to delimiter: [UInt8]) throws(Fault) {
        while index < bytes.count {
            if bytes[index...].starts(with: delimiter) {
                index += delimiter.count
                return
            }
            let byte = bytes[index]
            if delimiter.count == 1, byte == 10 || byte == 13 { break }
            if byte == UInt8(ascii: "\\"), !isRaw {
                try readEscape()
            } else {
                content.append(byte)
                index += 1
            }
        }
        throw Fault(start, "the string has no closing quote")
    }

    private mutating func readEscape() throws(Fault) {
        let escape = index
        index += 1
        guard index < bytes.count else { throw Fault(start, "the string has no closing quote") }
        let letter = bytes[index]
        index += 1
        switch letter {
        case UInt8(ascii: "a"): content.append(7)
        case UInt8(ascii: "b"): content.append(8)
        case UInt8(ascii: "f"): content.append(12)
        case UInt8(ascii: "n"): content.append(10)
        case UInt8(ascii: "r"): content.append(13)
        case UInt8(ascii: "t"): content.append(9)
        case UInt8(ascii: "v"): content.append(11)
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: "?"): content.append(letter)
        case UInt8(ascii: "x"), UInt8(ascii: "X"): try append(digits(2, radix: 16, escape), escape)
        case UInt8(ascii: "u"): try appendScalar(4, escape)
        case UInt8(ascii: "U"): try appendScalar(8, escape)
        case 48...51:
            index -= 1
            try append(digits(3, radix: 8, escape), escape)
        default: throw Fault(escape, "unknown escape in a string: write '\\\\' for a backslash")
        }
    }

    private mutating func digits(_ count: Int, radix: UInt32, _ escape: Int) throws(Fault) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<count {
            guard index < bytes.count, let digit = bytes[index].hexValue, digit < radix else {
                throw Fault(escape, "the escape needs \(count) \(radix == 8 ? "octal" : "hexadecimal") digits")
            }
            // Eight hexadecimal digits fit into 32 bits.
            code = code << (radix == 8 ? 3 : 4) | digit
            index += 1
        }
        return code
    }

    private mutating func appendScalar(_ count: Int, _ escape: Int) throws(Fault) {
        guard !isBytes else { throw Fault(escape, "a bytes literal has no \\u escapes: write \\x and two hexadecimal digits") }
        try append(digits(count, radix: 16, escape), escape)
    }

    /// In a string the code is a code point, in a bytes literal it is a byte.
    private mutating func append(_ code: UInt32, _ escape: Int) throws(Fault) {
        if isBytes {
            content.append(UInt8(truncatingIfNeeded: code))
        } else if let scalar = Unicode.Scalar(code) {
            content.append(contentsOf: String(Character(scalar)).utf8)
        } else {
            throw Fault(escape, "the escape is no Unicode code point")
        }
    }
}
