internal import JSON

extension ClientCommand {
    /// Replaces the text of one of the user's own messages.
    public struct Edit: Equatable, Sendable {
        public let channel: String
        /// The message.
        public let seq: Seq
        /// The client's key for de-duplication, as in `send`.
        public let key: String
        public let body: String
        /// Compact JSON text; nil removes the message's `data`.
        public let data: String?

        public init(channel: String, seq: Seq, key: String, body: String, data: String? = nil) {
            self.channel = channel
            self.seq = seq
            self.key = key
            self.body = body
            self.data = data
        }

        /// The members that replace those of the message.
        var content: String {
            var members = MemberText()
            members.add("body", string: body)
            if let data { members.add("data", json: data) }
            return members.text
        }
    }
}

extension ClientCommand.Edit: Command {
    static let name = "edit"
    static let summary = "Replaces the text of one of the user's messages. The change is a new entry that refers to the message."
    static let schema = CommandSchema(
        required: [
            .channel: CommandSchema.channel, .seq: CommandSchema.seq, .key: CommandSchema.key, .body: CommandSchema.body,
        ], optional: [.data: true])

    var listed: ClientCommand.Body { .edit(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        seq = try members.entry(.seq, in: bytes)
        key = try members.key(in: bytes)
        body = try members.body(in: bytes, limits)
        data = try members.data(in: bytes, limits)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.writable(channel, of: context.user)
        let draft = EntryDraft.change(.change, of: seq, with: content, by: context.user, key: key, in: channel)
        return .store(.change(draft, of: seq, to: content), .send(channel))
    }
}

extension Session {
    /// The conversation that the user names.
    func writable(_ name: String, of user: UserID) throws(Refusal) -> Channel {
        let channel = try channel(name, of: user)
        guard channel.kind == .conversation else { throw Refusal(.forbidden, "people write in conversations only") }
        return channel
    }
}

extension EntryDraft {
    /// - Parameter content: the new members of the message, without braces.
    static func change(
        _ kind: Kind, of seq: Seq, with content: String, by user: UserID, key: String, in channel: Channel
    ) -> EntryDraft {
        EntryDraft(
            // Another source than that of messages, so that a key of `send` is never taken for one of `edit`.
            channel: channel, source: "change:" + user.name, id: key, kind: kind, eventType: kind.rawValue, sender: user,
            content: #""refers":\#(seq.rawValue)"# + (content.isEmpty ? "" : "," + content))
    }
}
