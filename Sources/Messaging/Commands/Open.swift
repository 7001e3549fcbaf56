extension ClientCommand {
    public struct Open: Equatable, Sendable {
        public let with: UserID
        public let context: String?
    }
}

extension ClientCommand.Open: Command {
    static let name = "open"
    static let summary = "Finds or creates the conversation with one other user, bound to `context` if given."
    static let schema = CommandSchema(required: [.with: CommandSchema.user], optional: [.context: CommandSchema.context])

    var listed: ClientCommand.Body { .open(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        with = try members.user(.with, in: bytes)
        context = try members.context(in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        guard with != context.user else { throw Refusal(.badRequest, "with: must be another user") }
        return .store(
            .open(
                context.user, with: with, context: self.context, most: context.limits.conversationsOfPair,
                ofUser: context.limits.conversationsOfUser), .open)
    }

    static func answer(
        _ reply: StoreReply, in session: borrowing Session, re id: UInt64?, into output: inout [UInt8]
    ) -> Session.Answer? {
        guard case .opened(let state, _) = reply else { return nil }
        if let id {
            let isFollowed = session.subscription(to: state.channel) != nil
            ServerMessage.channelState(re: id, ListedChannel(state, isSubscribed: isFollowed), into: &output)
        }
        return .told
    }
}
