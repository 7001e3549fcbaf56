package import Configuration
package import Embedded

/// Why a command ends without having done its work: lines for the person at the terminal, and the exit code for scripts.
package struct CommandFailure: Error, Equatable, Sendable {
    /// As in sysexits.h, so that scripts can tell them apart.
    package enum Kind: Int32, Sendable {
        case failed = 1
        /// Flags or arguments that make no sense.
        case usage = 64
        /// A database, broker, key source or hub that is not there.
        case unavailable = 69
        /// The hub said no: a token or channel it does not accept.
        case refused = 77
        case configuration = 78
    }

    package let kind: Kind
    package let lines: [String]

    package init(_ kind: Kind, _ lines: String...) {
        self.kind = kind
        self.lines = lines
    }

    package init(_ refusal: ConfigurationRefusal) {
        kind = .configuration
        lines = refusal.problems
    }

    package init(_ failure: EmbeddedFailure) { self.init(.unavailable, failure.description) }
}
