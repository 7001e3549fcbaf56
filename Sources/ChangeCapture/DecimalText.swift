/// Decimals in plain notation, exact.
enum DecimalText {
    /// The big-endian two's complement of an integer, divided by 10 to the power of `scale` (Connect's `Decimal`). An empty number is zero.
    /// Nil when the result has more digits than allowed.
    static func text(unscaled bytes: [UInt8], scale: Int) -> String? {
        guard bytes.count <= longestInteger else { return nil }
        let isNegative = (bytes.first ?? 0) >= 0x80
        if bytes.count <= 8 {
            var value: Int64 = isNegative ? -1 : 0
            for byte in bytes { value = value &<< 8 | Int64(byte) }
            return text(String(value.magnitude), isNegative: isNegative, scale: scale)
        }
        return text(digits(magnitude(bytes, isNegative)), isNegative: isNegative, scale: scale)
    }

    /// A number as JSON or PostgreSQL writes it, with or without an exponent. With `scale` it has at least as many digits after the point.
    /// Nil when it is not a number, or has more digits than allowed.
    static func text(literal: String, scale minimumScale: Int = 0) -> String? {
        var rest = literal.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        var digits: [UInt8] = []
        var scale = 0
        guard let whole = takeDigits(&rest) else { return nil }
        digits += whole
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard let fraction = takeDigits(&rest) else { return nil }
            digits += fraction
            scale = fraction.count
        }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            var sign = rest.dropFirst()
            if sign.first == UInt8(ascii: "+") { sign = sign.dropFirst() }
            guard let text = String(sign), let exponent = Int(text), abs(exponent) <= ChangeLimits.decimalDigits else { return nil }
            scale -= exponent
            rest = rest.suffix(0)
        }
        guard rest.isEmpty, digits.count <= ChangeLimits.decimalDigits else { return nil }
        if scale < minimumScale, minimumScale <= ChangeLimits.decimalDigits, scale >= 0 {
            for _ in scale..<minimumScale { digits.append(UInt8(ascii: "0")) }
            scale = minimumScale
        }
        return text(String(decoding: digits, as: UTF8.self), isNegative: isNegative, scale: scale)
    }

    /// The decimal digits of the longest integer: 8 304 bytes give at most 20 000.
    private static let longestInteger = 8_304

    private static func takeDigits(_ rest: inout Substring.UTF8View) -> Substring.UTF8View? {
        let digits = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
        rest = rest.dropFirst(digits.count)
        return digits.isEmpty ? nil : digits
    }

    /// Puts the point and the sign. Zero has no sign.
    private static func text(_ digits: String, isNegative: Bool, scale: Int) -> String? {
        guard (-ChangeLimits.decimalDigits...ChangeLimits.decimalDigits).contains(scale) else { return nil }
        var bytes = Array(digits.utf8.drop { $0 == UInt8(ascii: "0") })
        let sign = isNegative && !bytes.isEmpty ? "-" : ""
        if scale < 0, !bytes.isEmpty { for _ in 0..<(-scale) { bytes.append(UInt8(ascii: "0")) } }
        guard bytes.count <= ChangeLimits.decimalDigits else { return nil }
        let point = max(scale, 0)
        // One digit before the point at least.
        let missing = max(point + 1 - bytes.count, 0)
        bytes.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: missing), at: 0)
        if point > 0 { bytes.insert(UInt8(ascii: "."), at: bytes.count - point) }
        return sign + String(decoding: bytes, as: UTF8.self)
    }

    /// The magnitude as words of 32 bits, the highest first.
    private static func magnitude(_ bytes: [UInt8], _ isNegative: Bool) -> [UInt32] {
        var words: [UInt32] = []
        var word: UInt32 = isNegative ? .max : 0
        for (index, byte) in bytes.enumerated() {
            word = word &<< 8 | UInt32(byte)
            if (bytes.count - 1 - index) % 4 == 0 {
                words.append(isNegative ? ~word : word)
                word = isNegative ? .max : 0
            }
        }
        guard isNegative else { return words }
        // The complement needs one added: from the lowest word while it carries.
        for index in words.indices.reversed() {
            words[index] &+= 1
            if words[index] != 0 { return words }
        }
        return [1] + words
    }

    /// Divides by 10⁹ until nothing is left.
    private static func digits(_ magnitude: [UInt32]) -> String {
        var words = magnitude[...]
        var groups: [UInt32] = []
        while true {
            words = words.drop { $0 == 0 }
            guard !words.isEmpty else { break }
            var remainder: UInt64 = 0
            for index in words.indices {
                let dividend = remainder &<< 32 | UInt64(words[index])
                words[index] = UInt32(truncatingIfNeeded: dividend / 1_000_000_000)
                remainder = dividend % 1_000_000_000
            }
            groups.append(UInt32(truncatingIfNeeded: remainder))
        }
        guard let highest = groups.last else { return "0" }
        return groups.dropLast().reversed().reduce(into: String(highest)) { text, group in
            let digits = String(group)
            text += String(repeating: "0", count: 9 - digits.utf8.count) + digits
        }
    }
}
