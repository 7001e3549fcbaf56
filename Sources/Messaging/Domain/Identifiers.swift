import Bytes
internal import JSON

/// The position of an entry in its channel: gapless, starting at 1. Zero means "before the first".
public struct Seq: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let zero = Seq(0)
    public var next: Seq { Seq(rawValue &+ 1) }
    public static func < (a: Seq, b: Seq) -> Bool { a.rawValue < b.rawValue }
}

/// The platform's id of a person (the token's subject): 1…255 UTF-8 bytes without control characters.
public struct UserID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let maximumBytes = 255
    public let name: String
    public init?(_ name: String) {
        guard Identifier.isAcceptable(name, maximumBytes: Self.maximumBytes) else { return nil }
        self.name = name
    }
    public var description: String { name }
    // Compares bytes, as the store does: Swift's == treats a composed and a decomposed é as equal.
    public static func == (a: UserID, b: UserID) -> Bool { a.name.isSameText(as: b.name) }
    public static func < (a: UserID, b: UserID) -> Bool { a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// Milliseconds since 1970-01-01T00:00:00Z. The domain has no clock; callers pass the time.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: Int64
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
}

extension String {
    /// Compares bytes, as browsers and the store do: `hasPrefix` misses a prefix that a combining mark follows.
    func begins(with prefix: String) -> Bool {
        let bytes = utf8.span
        let expected = prefix.utf8.span
        guard bytes.count >= expected.count else { return false }
        for index in expected.indices where bytes[index] != expected[index] { return false }
        return true
    }
}

extension Span<UInt8> {
    /// Whether the text equals `first` followed by `second`. Compares bytes, as `begins` does, and allocates nothing.
    func isJoined(_ first: String, _ second: String) -> Bool {
        let (start, end) = (first.utf8.span, second.utf8.span)
        return count == start.count + end.count && extracting(first: start.count).isSame(as: start)
            && extracting(last: end.count).isSame(as: end)
    }
}

enum Identifier {
    /// Non-empty, bounded, and free of C0 controls, DEL and C1 controls (they break logs, and NUL cannot be stored).
    static func isAcceptable(_ name: String, maximumBytes: Int) -> Bool { isAcceptable(name.utf8.span, maximumBytes: maximumBytes) }

    static func isAcceptable(_ name: Span<UInt8>, maximumBytes: Int) -> Bool {
        guard name.count > 0, name.count <= maximumBytes else { return false }
        var previous: UInt8 = 0
        for index in name.indices {
            let byte = name[index]
            if byte < 0x20 || byte == 0x7F { return false }
            // UTF-8 encodes U+0080…U+009F as C2 80…C2 9F, and C2 is always a first byte.
            if previous == 0xC2 && byte < 0xA0 { return false }
            previous = byte
        }
        return true
    }
}
