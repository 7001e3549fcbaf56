/// The range of a checked value in the span it was scanned from. Valid only with that span.
public struct JSONSlice: Equatable, Sendable {
    public let kind: JSONKind
    /// The range of the whole value, including a string's quotes and a container's brackets.
    public let range: Range<Int>
    /// Whether the value is a string with escapes.
    public let hasEscapes: Bool

    public init(kind: JSONKind, range: Range<Int>, hasEscapes: Bool) {
        self.kind = kind
        self.range = range
        self.hasEscapes = hasEscapes
    }

    /// The text of a string, escapes resolved; nil for other kinds. Allocates only beyond 15 bytes.
    public func string(in bytes: Span<UInt8>) -> String? {
        guard kind == .string else { return nil }
        if hasEscapes {
            var text: [UInt8] = []
            text.reserveCapacity(range.count)
            JSONEscape.resolve(range.lowerBound + 1..<range.upperBound - 1, of: bytes, into: &text)
            return String(decoding: text, as: UTF8.self)
        }
        return String(checked: bytes.extracting(range.lowerBound + 1..<range.upperBound - 1))
    }

    /// The value of an integer literal without fraction or exponent; nil for anything else, for `-0`, and beyond 64 bits.
    public func unsignedInteger(in bytes: Span<UInt8>) -> UInt64? {
        guard kind == .number else { return nil }
        var value: UInt64 = 0
        for i in range {
            let digit = bytes[i] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }

    /// The value of an integer literal without fraction or exponent; nil for anything else, and beyond 64 bits.
    public func integer(in bytes: Span<UInt8>) -> Int64? {
        guard kind == .number else { return nil }
        var value: Int64 = 0
        let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
        // The value is negative meanwhile, because the smallest number has no positive counterpart.
        for i in (isNegative ? range.lowerBound + 1 : range.lowerBound)..<range.upperBound {
            let digit = bytes[i] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.subtractingReportingOverflow(Int64(digit))
            if overflow || carry { return nil }
            value = sum
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// `true` or `false`; nil for other kinds.
    public func bool(in bytes: Span<UInt8>) -> Bool? {
        kind == .bool ? bytes[range.lowerBound] == UInt8(ascii: "t") : nil
    }

    /// The text of a string of at most sixteen bytes without escapes as one word (first byte lowest), for comparing names cheaply;
    /// zero for anything else. Equal words mean equal names: a name cannot hold a raw U+0000.
    public func word(in bytes: Span<UInt8>) -> UInt128 {
        guard kind == .string, !hasEscapes, range.count <= 18 else { return 0 }
        var word: UInt128 = 0
        for i in (range.lowerBound + 1..<range.upperBound - 1).reversed() {
            word = word &<< 8 | UInt128(bytes[i])
        }
        return word
    }

    /// The same word for a name known beforehand; zero when it is longer than sixteen bytes.
    public static func word(_ name: String) -> UInt128 {
        guard name.utf8.count <= 16 else { return 0 }
        return name.utf8.reversed().reduce(0) { $0 &<< 8 | UInt128($1) }
    }
}

extension String {
    /// Copies bytes that a scanner has checked.
    init(checked bytes: Span<UInt8>) {
        do {
            self = String(copying: try UTF8Span(validating: bytes))
        } catch {
            // The scanner refuses invalid UTF-8 by the standard library's rules (RFC 3629 §4), so the decoding replaces nothing.
            var copy: [UInt8] = []
            for i in bytes.indices { copy.append(bytes[i]) }
            self = String(decoding: copy, as: UTF8.self)
        }
    }
}
