extension ClientCommand {
    public struct Activity: Equatable, Sendable {}
}

extension ClientCommand.Activity: Command {
    static let name = "activity"
    static let summary = "Says that the user is there. Every command but `ping` says so, too."
    static let schema = CommandSchema()

    var listed: ClientCommand.Body { .activity(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {}

    /// The driver notes the sign of the user for every command (`ClientCommand.isSignOfUser`), so nothing else has to be done for this one.
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .done
    }
}
