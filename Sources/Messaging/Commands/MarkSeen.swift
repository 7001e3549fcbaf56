extension ClientCommand {
    public struct MarkSeen: Equatable, Sendable {
        public let channel: String
        public let upTo: Seq
    }
}

extension ClientCommand.MarkSeen: Command {
    static let name = "mark-seen"
    static let summary = "Reports that all entries up to `seq` were shown to the user."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel, .seq: CommandSchema.position])

    var listed: ClientCommand.Body { .markSeen(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        upTo = try members.position(.seq, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.sent(channel, of: context.user, upTo: upTo, position)
        return .store(.move(context.user, channel, .seen(upTo), session: session.id), .mark)
    }
}
