extension ClientCommand {
    public struct Unblock: Equatable, Sendable {
        public let user: UserID
    }
}

extension ClientCommand.Unblock: Command {
    static let name = "unblock"
    static let summary = "Ends a block. What was written meanwhile stays hidden."
    static let schema = CommandSchema(required: [.user: CommandSchema.user])

    var listed: ClientCommand.Body { .unblock(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        user = try members.user(.user, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .store(.unblock(context.user, user), .block)
    }
}
