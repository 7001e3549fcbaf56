extension FixedWidthInteger where Self: UnsignedInteger {
    /// All digits, leading zeros included: two for each byte.
    package var hexDigits: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Self.bitWidth / 4 - digits.count) + digits
    }
}
