package import Configuration
package import Embedded

/// The failure of a command: lines for the user at the terminal, and an exit code for scripts.
package struct CommandFailure: Error, Equatable, Sendable {
    /// The exit codes of sysexits.h, by which scripts distinguish failures.
    package enum Kind: Int32, Sendable {
        case failed = 1
        /// Invalid flags or arguments.
        case usage = 64
        /// A database, broker, key source or hub is unreachable.
        case unavailable = 69
        /// The hub refused a token or a channel.
        case refused = 77
        case configuration = 78
    }

    package let kind: Kind
    package let lines: [String]

    package init(_ kind: Kind, _ lines: String...) {
        self.kind = kind
        self.lines = lines
    }

    package init(_ kind: Kind, lines: [String]) {
        self.kind = kind
        self.lines = lines
    }

    package init(_ refusal: ConfigurationRefusal) {
        kind = .configuration
        lines = refusal.problems
    }

    package init(_ failure: EmbeddedFailure) { self.init(.unavailable, failure.description) }
}
