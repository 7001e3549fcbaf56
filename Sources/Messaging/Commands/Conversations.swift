internal import JSON

extension ClientCommand {
    public struct Conversations: Equatable, Sendable {
        /// The channel's name from the command; nil starts with the most recent conversation.
        public let before: String?
        /// 1…`CommandLimits.historyPage`.
        public let limit: Int
    }
}

extension ClientCommand.Conversations: Command {
    static let name = "conversations"
    static let summary = "Lists the user's conversations, the most recently active first."
    static let schema = CommandSchema(
        optional: [
            .before: ["description": "The last conversation of the previous page.", "$ref": "#/$defs/channel"],
            .limit: CommandSchema.pageSize,
        ])

    var listed: ClientCommand.Body { .conversations(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        before = try members.optionalText(.before, in: bytes)
        limit = try members.pageSize(in: bytes, limits)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        var last: Channel?
        if let before {
            let channel = try session.channel(before, of: context.user)
            guard channel.kind == .conversation else { throw Refusal(.unknownChannel, "before: expected conversation:<uuid>") }
            last = channel
        }
        return .store(.conversations(context.user, before: last, most: min(limit, context.limits.historyPage)), .conversations)
    }

    static func answer(
        _ reply: StoreReply, in session: borrowing Session, re id: UInt64?, into output: inout [UInt8]
    ) -> Session.Answer? {
        guard case .snapshot(let states, let more) = reply else { return nil }
        if let id {
            let followed = Set(session.subscriptions.map(\.channel))
            let channels = states.map { ListedChannel($0, isSubscribed: followed.contains($0.channel)) }
            ServerMessage.conversations(re: id, channels, more: more, into: &output)
        }
        return .told
    }
}

extension ServerMessage {
    /// Answers `conversations`.
    public static func conversations(re id: UInt64, _ channels: [ListedChannel], more: Bool, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"channels":["#)
        output.append(list: channels) { channel, output in output.append(channel) }
        output.append(UInt8(ascii: "]"))
        output.append(member: "more", bool: more)
        output.appendText("}}")
    }
}
