internal import JSON

extension ClientCommand {
    public struct Ping: Equatable, Sendable {}

    /// Whether the command counts as activity of the user. `ping` does not, because clients send it without the user, nor does a `presence`
    /// that says that the user is away.
    public var isSignOfUser: Bool {
        switch body {
        case .ping: false
        case .presence(let command): command.presence == .online
        default: true
        }
    }
}

extension ClientCommand.Ping: Command {
    static let name = "ping"
    static let summary = "Checks the connection, and asks for the hub's time."
    static let schema = CommandSchema()

    var listed: ClientCommand.Body { .ping(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {}

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .tellTime
    }
}

extension ServerMessage {
    /// Answers `ping`.
    public static func time(re id: UInt64, _ now: Timestamp, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"time":""#)
        now.writeRFC3339(into: &output)
        output.appendText(#""}}"#)
    }
}
