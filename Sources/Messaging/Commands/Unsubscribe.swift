internal import JSON

extension ClientCommand {
    public struct Unsubscribe: Equatable, Sendable {
        public let channel: String
    }
}

extension ClientCommand.Unsubscribe: Command {
    static let name = "unsubscribe"
    static let summary = "Stops following a channel."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel])

    var listed: ClientCommand.Body { .unsubscribe(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .unsubscribe(try session.followed(channel, of: context.user).index)
    }
}

extension ServerMessage {
    /// Answers `unsubscribe`.
    public static func unsubscribed(re id: UInt64, _ channel: Channel, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.appendText("}}")
    }
}
