internal import JSON

extension ClientCommand {
    public struct Blocks: Equatable, Sendable {}
}

extension ClientCommand.Blocks: Command {
    static let name = "blocks"
    static let summary = "Lists the users whom the user has blocked."
    static let schema = CommandSchema()

    var listed: ClientCommand.Body { .blocks(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {}

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .store(.blocks(context.user), .blocks)
    }

    static func answer(_ reply: StoreReply, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .blocks(let users) = reply else { return nil }
        if let id { ServerMessage.blocks(re: id, users, into: &output) }
        return .told
    }
}

extension ServerMessage {
    /// Answers `blocks`.
    static func blocks(re id: UInt64, _ users: [UserID], into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"users":["#)
        output.append(list: users) { user, output in output.appendJSONString(user.name) }
        output.appendText("]}}")
    }
}
