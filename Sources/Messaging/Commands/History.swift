internal import JSON

extension ClientCommand {
    public struct History: Equatable, Sendable {
        /// At most one of `after` and `before` is set; `limit` is 1…`CommandLimits.historyPage`.
        public struct Page: Equatable, Sendable {
            public let after: Seq?
            public let before: Seq?
            public let limit: Int
        }

        public let channel: String
        public let page: Page
    }
}

extension ClientCommand.History: Command {
    static let name = "history"
    static let summary = "Reads stored entries without subscribing: those after or before a position, or the newest."
    static let schema = CommandSchema(
        required: [.channel: CommandSchema.channel],
        optional: [.after: CommandSchema.position, .before: CommandSchema.position, .limit: CommandSchema.pageSize],
        notTogether: [.after, .before])

    var listed: ClientCommand.Body { .history(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        if members[.after] != nil, members[.before] != nil {
            throw CommandFault(.badRequest, "after, before: expected at most one of them")
        }
        channel = try members.channel(in: bytes)
        page = Page(
            after: try members.optionalPosition(.after, in: bytes), before: try members.optionalPosition(.before, in: bytes),
            limit: try members.pageSize(in: bytes, limits))
    }

    /// Reads a granted channel at once. For any other channel the store checks the user's right first.
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.channel(channel, of: context.user)
        let page = Page(after: page.after, before: page.before, limit: min(page.limit, context.limits.historyPage))
        if let subscription = session.following(channel), position(subscription) != nil {
            return .store(page.request(of: channel), .history(channel))
        }
        let isEntitled = session.identity?.isEntitled(to: channel) ?? false
        return .store(.state(context.user, channel, entitled: isEntitled), .historyRight(page))
    }

    static func answer(
        _ reply: StoreReply, in channel: Channel, of session: borrowing Session, re id: UInt64?, into output: inout [UInt8]
    ) -> Session.Answer? {
        guard case .page(let entries, let head, let more) = reply else { return nil }
        if let id { ServerMessage.history(re: id, channel, entries, for: session.identity?.user, head: head, more: more, into: &output) }
        return .told
    }
}

extension ClientCommand.History.Page {
    fileprivate func request(of channel: Channel) -> StoreRequest { .page(channel, after: after, before: before, limit: limit) }

    /// Requests the entries after the store has confirmed the right to read the channel.
    func goOn(_ reply: StoreReply) -> Session.Answer? {
        guard case .state(let state) = reply else { return nil }
        return .store(request(of: state.channel), .history(state.channel))
    }
}

extension ServerMessage {
    /// Answers `history`. `entries` are in ascending order.
    public static func history(
        re id: UInt64, _ channel: Channel, _ entries: [Entry], for reader: UserID?, head: Seq, more: Bool, into output: inout [UInt8]
    ) {
        output.begin(replyTo: id, about: channel)
        output.appendText(#","entries":["#)
        output.append(list: entries) { entry, output in ServerMessage.entry(entry, for: reader, into: &output) }
        output.append(UInt8(ascii: "]"))
        output.append(member: "head", integer: head.rawValue)
        output.append(member: "more", bool: more)
        output.appendText("}}")
    }
}
