/// The position of an entry in its channel: gapless, starting at 1. Zero means "before the first".
public struct Seq: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let zero = Seq(0)
    public var next: Seq { Seq(rawValue &+ 1) }
    public static func < (a: Seq, b: Seq) -> Bool { a.rawValue < b.rawValue }
}

/// A person (the token's subject), as the platform names them.
/// 1…255 UTF-8 bytes, no control characters; anything else cannot be constructed.
public struct UserID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let maximumBytes = 255
    public let name: String
    public init?(_ name: String) {
        guard Identifier.isAcceptable(name, maximumBytes: Self.maximumBytes) else { return nil }
        self.name = name
    }
    public var description: String { name }
    // By bytes, as the store compares: Swift's == would take a composed and a decomposed é for one user.
    public static func == (a: UserID, b: UserID) -> Bool { a.name.utf8.elementsEqual(b.name.utf8) }
    public static func < (a: UserID, b: UserID) -> Bool { a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Milliseconds since 1970-01-01T00:00:00Z. The domain has no clock: whoever calls brings the time.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
}

extension StringProtocol {
    /// By bytes: `hasPrefix` does not see a prefix whose last character a combining mark follows, but a browser and the store do.
    func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}

enum Identifier {
    /// Non-empty, bounded, and free of C0 controls, DEL and C1 controls (they break logs, and NUL cannot be stored).
    static func isAcceptable(_ name: some StringProtocol, maximumBytes: Int) -> Bool {
        !name.isEmpty && name.utf8.count <= maximumBytes
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }
}
