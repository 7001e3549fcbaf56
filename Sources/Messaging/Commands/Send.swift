internal import JSON

extension ClientCommand {
    /// A user's message to a conversation or to another user.
    public struct Send: Equatable, Sendable {
        public enum Target: Equatable, Sendable {
            case channel(String)
            /// The 1:1 conversation with this user, bound to the message's `context` if it has one.
            case user(UserID)
        }

        public let target: Target
        /// The client's key for de-duplication, 1…64 bytes: a repeated key means the same message.
        public let key: String
        /// The text, which is not blank.
        public let body: String
        public let context: String?
        public let replyTo: Seq?
        /// Compact JSON text of any kind but null.
        public let data: String?

        public init(target: Target, key: String, body: String, context: String? = nil, replyTo: Seq? = nil, data: String? = nil) {
            self.target = target
            self.key = key
            self.body = body
            self.context = context
            self.replyTo = replyTo
            self.data = data
        }

        /// The members that only clients read, in the format of `EntryDraft.content`.
        public var content: String {
            var members = MemberText()
            members.add("body", string: body)
            if let context { members.add("context", string: context) }
            if let data { members.add("data", json: data) }
            if let replyTo { members.add("replyTo", integer: replyTo.rawValue) }
            return members.text
        }

        /// The draft of the message. The store de-duplicates repeated sends by the sender and the key.
        func entry(from sender: UserID, in channel: Channel) -> EntryDraft {
            EntryDraft(
                channel: channel, source: "user:" + sender.name, id: key, kind: .message, eventType: "message", sender: sender,
                content: content, replyTo: replyTo)
        }
    }
}

extension ClientCommand.Send: Command {
    static let name = "send"
    static let summary = "Stores a message in a conversation, or in the one with a user. A repeat with the same `key` stores no second one."
    static let schema = CommandSchema(
        required: [.key: CommandSchema.key, .body: CommandSchema.body],
        optional: [.context: CommandSchema.context, .replyTo: CommandSchema.seq, .data: true],
        oneOf: [.channel: CommandSchema.channel, .to: CommandSchema.user])

    var listed: ClientCommand.Body { .send(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        try members.exactlyOne(of: [.channel, .to])
        target = members[.to] == nil ? .channel(try members.channel(in: bytes)) : .user(try members.user(.to, in: bytes))
        key = try members.key(in: bytes)
        body = try members.body(in: bytes, limits)
        context = try members.context(in: bytes)
        replyTo = members[.replyTo] == nil ? nil : try members.entry(.replyTo, in: bytes)
        data = try members.data(in: bytes, limits)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        switch target {
        case .channel(let name):
            let channel = try session.writable(name, of: context.user)
            return .store(
                .append(entry(from: context.user, in: channel), mostUnanswered: context.limits.unanswered), .send(channel))
        case .user(let other):
            guard other != context.user else { throw Refusal(.badRequest, "to: must be another user") }
            return .store(
                .open(
                    context.user, with: other, context: self.context, most: context.limits.conversationsOfPair,
                    ofUser: context.limits.conversationsOfUser), .openThenSend(self))
        }
    }

    /// Stores the message after the store has opened the conversation.
    func goOn(_ reply: StoreReply, in session: borrowing Session, _ limits: Session.Limits) -> Session.Answer? {
        guard case .opened(let state, _) = reply, let user = session.identity?.user else { return nil }
        return .store(.append(entry(from: user, in: state.channel), mostUnanswered: limits.unanswered), .send(state.channel))
    }

    static func answer(_ reply: StoreReply, in channel: Channel, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .stored(let stored) = reply, let first = stored.first else { return nil }
        if let id { ServerMessage.sent(re: id, in: channel, first, into: &output) }
        return .told
    }
}

extension ServerMessage {
    /// Answers `send`.
    public static func sent(re id: UInt64, in channel: Channel, _ stored: StoredDraft, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.append(member: "seq", integer: stored.seq.rawValue)
        output.append(member: "createdAt", time: stored.createdAt)
        output.append(member: "duplicate", bool: stored.duplicate)
        output.appendText("}}")
    }
}
