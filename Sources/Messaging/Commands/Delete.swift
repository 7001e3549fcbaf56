extension ClientCommand {
    /// Takes back one of the user's own messages.
    public struct Delete: Equatable, Sendable {
        public let channel: String
        public let seq: Seq
        public let key: String

        public init(channel: String, seq: Seq, key: String) {
            self.channel = channel
            self.seq = seq
            self.key = key
        }
    }
}

extension ClientCommand.Delete: Command {
    static let name = "delete"
    static let summary = "Takes back one of the user's messages. Its text is removed; a new entry refers to the message."
    static let schema = CommandSchema(
        required: [.channel: CommandSchema.channel, .seq: CommandSchema.seq, .key: CommandSchema.key])

    var listed: ClientCommand.Body { .delete(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        seq = try members.entry(.seq, in: bytes)
        key = try members.key(in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.writable(channel, of: context.user)
        let draft = EntryDraft.change(.retraction, of: seq, with: "", by: context.user, key: key, in: channel)
        return .store(.change(draft, of: seq, to: nil), .send(channel))
    }
}
