/// The limits of a parse, with the reason for each.
public struct JSONLimits: Equatable, Sendable {
    /// The deepest nesting that a scan can follow. It keeps one bit of a word per level, so a peer's text causes no recursion.
    public static let deepest = 64

    /// Levels of nesting accepted, 1…`deepest`; a deeper value is refused with `.tooDeep`.
    /// RFC 8259 §9 allows a limit, and this system's texts nest at most ten levels.
    public let maximumDepth: Int
    /// Values (containers, members and elements alike) a tree may hold before `.tooManyValues`.
    /// A two-byte element becomes about thirty bytes of tree, so the size of the text alone does not bound memory.
    public let maximumValues: Int
    /// Refuses `\u0000` in strings and member names with `.nul`: PostgreSQL cannot store it.
    public let refusesNUL: Bool

    /// `maximumDepth` is clamped to 1…`deepest`, `maximumValues` to at least 1.
    public init(maximumDepth: Int = deepest, maximumValues: Int = 100_000, refusesNUL: Bool = false) {
        self.maximumDepth = min(max(maximumDepth, 1), Self.deepest)
        self.maximumValues = max(maximumValues, 1)
        self.refusesNUL = refusesNUL
    }

    public static let `default` = JSONLimits()
}

/// The reason for refusing a text, and its offset.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Reason: String, CaseIterable, Sendable {
        case endOfInput = "the text ends inside a value"
        case unexpectedByte = "unexpected byte"
        case badLiteral = "not true, false or null"
        case badNumber = "not a JSON number"
        case badUTF8 = "not UTF-8"
        case controlCharacter = "control character in a string (escape it)"
        case badEscape = "unknown escape in a string"
        case loneSurrogate = "half of a surrogate pair"
        case nul = "U+0000 in a string"
        case duplicateMember = "member name used twice in one object"
        case tooDeep = "nested too deep"
        case tooManyValues = "too many values"
        case trailingBytes = "bytes after the value"
    }

    public let reason: Reason
    /// The offset in bytes from the start of the scanned span.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) at byte \(offset)" }
}
