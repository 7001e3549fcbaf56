extension ClientCommand {
    public struct Typing: Equatable, Sendable {
        public let channel: String
    }
}

extension ClientCommand.Typing: Command {
    static let name = "typing"
    static let summary = "Tells the other members of a followed conversation that the user is writing."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel])

    var listed: ClientCommand.Body { .typing(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let (_, channel, _) = try session.granted(channel, of: context.user, position)
        guard channel.kind == .conversation else { throw Refusal(.badRequest, "channel: typing is for conversations") }
        let isDue = session.mayTellTyping(channel, at: context.now, interval: context.limits.typingInterval)
        return isDue ? .typing(channel) : .done
    }
}
