import Bytes

extension JSONValue {
    /// Appends the compact text: no white space, members in their order, numbers as they were written.
    public func write(into output: inout [UInt8]) {
        switch self {
        case .null: output.appendText("null")
        case .bool(let value): output.appendText(value ? "true" : "false")
        case .number(let number): output.appendText(number.text)
        case .string(let text): output.appendJSONString(text)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            var first = true
            for element in elements {
                if !first { output.append(UInt8(ascii: ",")) }
                first = false
                element.write(into: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let object):
            object.write(into: &output)
        }
    }

    /// The compact text.
    public var text: String {
        var output: [UInt8] = []
        write(into: &output)
        return String(decoding: output, as: UTF8.self)
    }
}

extension JSONObject {
    /// Appends the compact text with its braces.
    public func write(into output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        var first = true
        for member in members {
            if !first { output.append(UInt8(ascii: ",")) }
            first = false
            output.appendJSONString(member.name)
            output.append(UInt8(ascii: ":"))
            member.value.write(into: &output)
        }
        output.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    /// Appends the text's UTF-8 unchanged.
    public mutating func appendText(_ text: String) {
        append(copying: text.utf8.span)
    }

    /// Appends a string with its quotes. Only the characters that RFC 8259 §7 requires are escaped.
    public mutating func appendJSONString(_ text: String) {
        append(UInt8(ascii: "\""))
        appendEscaped(text)
        append(UInt8(ascii: "\""))
    }

    /// Appends the bytes between the quotes, for a string made of several parts.
    public mutating func appendEscaped(_ text: String) {
        let bytes = text.utf8.span
        if bytes.needsEscape {
            for index in bytes.indices { append(escaping: bytes[index]) }
        } else {
            append(copying: bytes)
        }
    }

    /// Appends an integer of at most 64 bits in decimal.
    @inlinable
    public mutating func appendInteger(_ value: some FixedWidthInteger) {
        assert(value.bitWidth <= UInt64.bitWidth)
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(UInt64(truncatingIfNeeded: value.magnitude))
    }

    @usableFromInline
    mutating func appendDecimal(_ value: UInt64) {
        if value < 10 { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
        // The digits are written from the last one, because the compiler turns division by a constant into a multiplication.
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = digits.count
        var rest = value
        while rest > 0 {
            start &-= 1
            digits[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        append(copying: digits.span.extracting(start..<digits.count))
    }

    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case _ where !byte.needsEscape: append(byte)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(contentsOf: [UInt8(ascii: "\\"), byte])
        case 0x08: appendText("\\b")
        case 0x09: appendText("\\t")
        case 0x0A: appendText("\\n")
        case 0x0C: appendText("\\f")
        case 0x0D: appendText("\\r")
        default:
            appendText(byte < 0x10 ? "\\u000" : "\\u001")
            let low = byte & 0xF
            append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }
}

extension Span<UInt8> {
    private static var blockBytes: Int { 16 }

    /// Whether any byte needs an escape. The blocks have a constant size so that the compiler vectorizes the loop.
    fileprivate var needsEscape: Bool {
        var start = 0
        while start &+ Self.blockBytes <= count {
            let block = extracting(start..<(start &+ Self.blockBytes))
            var found: UInt8 = 0
            for index in 0..<Self.blockBytes {
                let byte = block[index]
                // `||` would compile to branches, which prevent vectorization.
                let isControl: UInt8 = byte < 0x20 ? 1 : 0
                let isQuote: UInt8 = byte == UInt8(ascii: "\"") ? 1 : 0
                let isBackslash: UInt8 = byte == UInt8(ascii: "\\") ? 1 : 0
                found |= isControl | isQuote | isBackslash
            }
            guard found == 0 else { return true }
            start &+= Self.blockBytes
        }
        while start < count {
            if self[start].needsEscape { return true }
            start &+= 1
        }
        return false
    }
}

extension UInt8 {
    fileprivate var needsEscape: Bool {
        self < 0x20 || self == UInt8(ascii: "\"") || self == UInt8(ascii: "\\")
    }
}
