internal import JSON

extension ClientCommand {
    public struct Refresh: Equatable, Sendable {
        public let proof: IdentityProof
    }
}

extension ClientCommand.Refresh: Command {
    static let name = "refresh"
    static let summary = "Gives the session a new token or ticket of the same user, so that it can continue."
    static let schema = CommandSchema(
        optional: [.token: CommandSchema.token, .ticket: CommandSchema.ticket])

    var listed: ClientCommand.Body { .refresh(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        guard let proof = try members.optionalProof(in: bytes) else { throw .badRequest(.token, "a string, or a ticket") }
        self.proof = proof
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        .refresh(proof)
    }
}

extension ServerMessage {
    /// Answers `refresh`.
    public static func refreshed(re id: UInt64, tokenExpiresAt: Timestamp, now: Timestamp, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"tokenExpiresAt":""#)
        tokenExpiresAt.writeRFC3339(into: &output)
        output.appendText(#"","tokenTtlMs":"#)
        output.appendInteger(tokenExpiresAt.milliseconds(since: now))
        output.appendText("}}")
    }
}
