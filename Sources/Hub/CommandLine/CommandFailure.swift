/// Why a command ends without having done its work: lines for the person at the terminal, and the exit code for scripts.
public struct CommandFailure: Error, Equatable, Sendable {
    /// As in sysexits.h, so that scripts can tell them apart.
    public enum Kind: Int32, Sendable {
        case failed = 1
        /// Flags or arguments that make no sense.
        case usage = 64
        /// A database, broker, key source or hub that is not there.
        case unavailable = 69
        /// The hub said no: a token or channel it does not accept.
        case refused = 77
        case configuration = 78
    }

    public let kind: Kind
    public let lines: [String]

    public init(_ kind: Kind, _ lines: String...) {
        self.kind = kind
        self.lines = lines
    }

    public init(_ refusal: ConfigurationRefusal) {
        kind = .configuration
        lines = refusal.problems
    }

    init(_ failure: EmbeddedFailure) { self.init(.unavailable, failure.description) }
}
