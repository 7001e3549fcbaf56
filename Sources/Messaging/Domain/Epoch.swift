/// Names one history of the store. After the database went back to an earlier state, numbers of entries are given again, so a `seq` means
/// an entry only together with the epoch in which it was given.
///
/// On the wire and in the database: eight lowercase hexadecimal digits. Clients compare it and read nothing into it.
public struct Epoch: Hashable, Sendable {
    public let rawValue: UInt32

    /// - Parameter random: any random number. Zero is replaced, because it names no epoch.
    public init(random: UInt64) { rawValue = max(1, UInt32(truncatingIfNeeded: random)) }

    /// A client's text. One that `text` never gives equals no epoch of the store.
    public init(orUnknown text: String) { self = Epoch(text) ?? Epoch(unchecked: 0) }

    private init(unchecked rawValue: UInt32) { self.rawValue = rawValue }

    /// Nil for zero, which names no epoch.
    public init?(rawValue: UInt32) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// Nil when the text is not one of `text`.
    public init?(_ text: String) {
        guard text.utf8.count == 8, text.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }), let value = UInt32(text, radix: 16)
        else { return nil }
        self.init(rawValue: value)
    }

    public var text: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }
}
