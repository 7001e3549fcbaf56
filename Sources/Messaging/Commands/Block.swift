extension ClientCommand {
    /// Hides what another user writes from now on.
    public struct Block: Equatable, Sendable {
        public let user: UserID
    }
}

extension ClientCommand.Block: Command {
    static let name = "block"
    static let summary = "Blocks a user: what they write from now on does not reach this user. They are not told."
    static let schema = CommandSchema(required: [.user: CommandSchema.user])

    var listed: ClientCommand.Body { .block(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        user = try members.user(.user, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        guard user != context.user else { throw Refusal(.badRequest, "user: must be another user") }
        return .store(.block(context.user, user, most: context.limits.blocks), .block)
    }
}

extension ClientCommand {
    /// The answer to `block` and `unblock`.
    static func answerBlock(_ reply: StoreReply, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .blockChanged = reply else { return nil }
        if let id { ServerMessage.done(re: id, into: &output) }
        return .told
    }
}
