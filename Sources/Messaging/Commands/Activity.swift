extension ClientCommand {
    public struct Activity: Equatable, Sendable {}
}

extension ClientCommand.Activity: Command {
    static let name = "activity"
    static let summary = "Reports that the user is active. Every other command except `ping` does so too."
    static let schema = CommandSchema()

    var listed: ClientCommand.Body { .activity(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {}

    /// The rule does nothing: the driver records the user's activity for every command (`ClientCommand.isSignOfUser`).
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .done
    }
}
