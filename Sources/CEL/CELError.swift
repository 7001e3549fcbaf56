/// A place in the text of a condition. Lines and columns count from 1; a column is a character.
public struct CELPosition: Equatable, Sendable, CustomStringConvertible {
    public let line: Int
    public let column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    init(of offset: Int, in text: String) {
        let before = Array(text.utf8.prefix(offset))
        let lineStart = before.lastIndex(of: 10).map { $0 + 1 } ?? 0
        line = before.count { $0 == 10 } + 1
        column = String(decoding: before[lineStart...], as: UTF8.self).count + 1
    }

    public var description: String { "line \(line), column \(column)" }
}

/// Why a text is no condition: its syntax, a type, a name, a feature that is not supported, or a limit.
public struct CELError: Error, Equatable, CustomStringConvertible {
    public let position: CELPosition
    /// The expected and the found text or type, in English.
    public let message: String

    public init(position: CELPosition, message: String) {
        self.position = position
        self.message = message
    }

    public var description: String { "\(position): \(message)" }
}

/// An error at a byte of the text. Its position is computed once, when the error leaves the target.
struct Fault: Error {
    let offset: Int
    let message: String

    init(_ offset: Int, _ message: String) {
        self.offset = offset
        self.message = message
    }
}

/// Why the evaluation of a condition ended without a value (CEL specification, "Runtime errors").
public enum CELFailureReason: Error, Equatable, Sendable, CustomStringConvertible {
    case noSuchKey(String)
    case indexOutOfRange(Int64)
    case divisionByZero
    case modulusByZero
    /// A number outside of 64 bits.
    case overflow
    /// A timestamp outside of the years 1 to 9999, or a duration of more than 292 years.
    case timeOutOfRange
    case noSuchOverload(operation: String, kinds: [String])
    /// A text that the function cannot convert.
    case invalidText(String, function: String)
    /// A text, a list or a comparison that is larger than `CELLimits` allows.
    case tooLarge(String, limit: Int)

    public var description: String {
        switch self {
        case .noSuchKey(let key): "no such key: '\(key)'"
        case .indexOutOfRange(let index): "index out of range: \(index)"
        case .divisionByZero: "division by zero"
        case .modulusByZero: "modulus by zero"
        case .overflow: "the result is outside of the range of its type"
        case .timeOutOfRange: "the timestamp or duration is out of range"
        case .noSuchOverload(let operation, let kinds): "no such overload: \(operation) with \(kinds.joined(separator: " and "))"
        case .invalidText(let text, let function): "\(function) cannot convert \"\(text.prefix(40))\""
        case .tooLarge(let what, let limit): "\(what) is larger than \(limit)"
        }
    }
}

/// An error of an evaluation, and its place in the condition.
public struct CELFailure: Error, Equatable, CustomStringConvertible {
    public let position: CELPosition
    public let reason: CELFailureReason

    public init(position: CELPosition, reason: CELFailureReason) {
        self.position = position
        self.reason = reason
    }

    public var description: String { "\(position): \(reason)" }
}

/// The limits of a condition. The first three apply to its text, which is refused; the others also apply to values, where exceeding one is
/// `CELFailureReason.tooLarge`.
public struct CELLimits: Equatable, Sendable {
    /// Of the text. A condition that a person can read is shorter.
    public var textBytes = 4_096
    /// Of the tree. It bounds the stack that checking and evaluation use, so more than `greatestDepth` has no effect. A chain of && or || is
    /// one level.
    public var depth = 48
    public static let greatestDepth = 128
    /// The worst-case cost of one evaluation. A step is one operation, or 256 bytes of text.
    public var cost = 300_000
    /// Of a text that a function reads as a whole.
    public var stringBytes = 65_536
    /// Of a list that a macro, `in` or + reads as a whole.
    public var listElements = 256

    public init() {}

    public static let standard = CELLimits()
}
