/// A number in its source form, so that a reader loses no precision.
public struct JSONNumber: Hashable, Sendable, CustomStringConvertible {
    /// The number in the grammar of RFC 8259 §6.
    public let text: String

    init(checked text: String) { self.text = text }

    public init(_ value: Int64) { text = String(value) }
    public init(_ value: UInt64) { text = String(value) }

    public var description: String { text }

    /// The value of an integer literal (no fraction, no exponent) that fits; nil otherwise.
    public var int64: Int64? { Int64(text) }
    /// The value of an integer literal (no sign, fraction or exponent) that fits; nil otherwise.
    public var uint64: UInt64? { text.utf8.first == UInt8(ascii: "-") ? nil : UInt64(text) }
    /// The nearest double; nil when the magnitude is beyond its range, so it is never infinite or NaN.
    public var double: Double? {
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
