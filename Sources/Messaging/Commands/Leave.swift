internal import JSON

extension ClientCommand {
    public struct Leave: Equatable, Sendable {
        public let channel: String
    }
}

extension ClientCommand.Leave: Command {
    static let name = "leave"
    static let summary = "Leaves a conversation: the user is no longer its member."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel])

    var listed: ClientCommand.Body { .leave(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.channel(channel, of: context.user)
        guard channel.kind == .conversation else { throw Refusal(.badRequest, "channel: only conversations can be left") }
        return .store(.leave(context.user, channel), .leave)
    }

    static func answer(_ reply: StoreReply, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .state(let state) = reply else { return nil }
        if let id { ServerMessage.left(re: id, state.channel, into: &output) }
        return .told
    }
}

extension ServerMessage {
    /// Answers `leave`.
    static func left(re id: UInt64, _ channel: Channel, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.appendText("}}")
    }
}
