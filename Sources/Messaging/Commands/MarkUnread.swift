extension ClientCommand {
    public struct MarkUnread: Equatable, Sendable {
        public let channel: String
        /// Numbers in ascending order without duplicates; at most `CommandLimits.setSize`.
        public let seqs: [Seq]
    }
}

extension ClientCommand.MarkUnread: Command {
    static let name = "mark-unread"
    static let summary = "Marks one entry or a set of entries as unread."
    static let schema = CommandSchema(
        required: [.channel: CommandSchema.channel], oneOf: [.seq: CommandSchema.seq, .seqs: CommandSchema.seqs])

    var listed: ClientCommand.Body { .markUnread(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        try members.exactlyOne(of: [.seq, .seqs])
        channel = try members.channel(in: bytes)
        seqs = try members.entries(in: bytes, limits)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.sent(channel, of: context.user, upTo: seqs.last ?? .zero, position)
        return .store(.move(context.user, channel, .unread(seqs), session: session.id), .mark)
    }
}
