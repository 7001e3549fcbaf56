// The list of commands. A new command adds a case, a row of `types` and a line of `judge`; one that the store answers also adds a purpose.

extension ClientCommand {
    public enum Body: Equatable, Sendable {
        case connect(Connect)
        case refresh(Refresh)
        case subscribe(Subscribe)
        case unsubscribe(Unsubscribe)
        case ack(Ack)
        case markSeen(MarkSeen)
        case markRead(MarkRead)
        case markUnread(MarkUnread)
        case open(Open)
        case send(Send)
        case edit(Edit)
        case delete(Delete)
        case leave(Leave)
        case block(Block)
        case unblock(Unblock)
        case blocks(Blocks)
        case history(History)
        case why(Why)
        case conversations(Conversations)
        case typing(Typing)
        case presence(SharePresence)
        case activity(Activity)
        case ping(Ping)
    }

    /// The kinds of command in the order of the documents.
    static let types: [any Command.Type] = [
        Connect.self, Refresh.self, Subscribe.self, Unsubscribe.self, Ack.self, MarkSeen.self, MarkRead.self, MarkUnread.self,
        Open.self, Send.self, Edit.self, Delete.self, Leave.self, Block.self, Unblock.self, Blocks.self, History.self, Why.self,
        Conversations.self, Typing.self, SharePresence.self, Activity.self, Ping.self,
    ]
}

extension ClientCommand.Body {
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        switch self {
        case .connect(let command): try command.judge(in: &session, context, position)
        case .refresh(let command): try command.judge(in: &session, context, position)
        case .subscribe(let command): try command.judge(in: &session, context, position)
        case .unsubscribe(let command): try command.judge(in: &session, context, position)
        case .ack(let command): try command.judge(in: &session, context, position)
        case .markSeen(let command): try command.judge(in: &session, context, position)
        case .markRead(let command): try command.judge(in: &session, context, position)
        case .markUnread(let command): try command.judge(in: &session, context, position)
        case .open(let command): try command.judge(in: &session, context, position)
        case .send(let command): try command.judge(in: &session, context, position)
        case .edit(let command): try command.judge(in: &session, context, position)
        case .delete(let command): try command.judge(in: &session, context, position)
        case .leave(let command): try command.judge(in: &session, context, position)
        case .block(let command): try command.judge(in: &session, context, position)
        case .unblock(let command): try command.judge(in: &session, context, position)
        case .blocks(let command): try command.judge(in: &session, context, position)
        case .history(let command): try command.judge(in: &session, context, position)
        case .why(let command): try command.judge(in: &session, context, position)
        case .conversations(let command): try command.judge(in: &session, context, position)
        case .typing(let command): try command.judge(in: &session, context, position)
        case .presence(let command): try command.judge(in: &session, context, position)
        case .activity(let command): try command.judge(in: &session, context, position)
        case .ping(let command): try command.judge(in: &session, context, position)
        }
    }
}

extension Session {
    /// The reason for a request to the store. `answer` uses it to interpret the store's reply.
    public enum Purpose: Equatable, Sendable {
        case ack
        case mark
        case open
        /// Opens the conversation for a message, which the next request stores. Indirect because it is rare and large.
        indirect case openThenSend(ClientCommand.Send)
        case send(Channel)
        case leave
        /// `block` and `unblock`.
        case block
        case blocks
        case history(Channel)
        /// Checks the right to read a channel's history before the next request reads the entries.
        case historyRight(ClientCommand.History.Page)
        case why(Channel, Seq)
        /// Checks the right to read a channel before the next request reads the entry.
        case whyRight(Seq)
        case conversations
    }

    /// The reply to the client or the next request to the store; nil when the store's reply is a failure or of another kind.
    func interpret(_ reply: StoreReply, for purpose: Purpose, re id: UInt64?, _ limits: Limits, into output: inout [UInt8]) -> Answer? {
        switch purpose {
        case .ack: ClientCommand.Ack.answer(reply, re: id, into: &output)
        case .mark: ClientCommand.answerMark(reply, re: id, into: &output)
        case .open: ClientCommand.Open.answer(reply, in: self, re: id, into: &output)
        case .openThenSend(let message): message.goOn(reply, in: self, limits)
        case .send(let channel): ClientCommand.Send.answer(reply, in: channel, re: id, into: &output)
        case .leave: ClientCommand.Leave.answer(reply, re: id, into: &output)
        case .block: ClientCommand.answerBlock(reply, re: id, into: &output)
        case .blocks: ClientCommand.Blocks.answer(reply, re: id, into: &output)
        case .history(let channel): ClientCommand.History.answer(reply, in: channel, of: self, re: id, into: &output)
        case .historyRight(let page): page.goOn(reply)
        case .why(let channel, let seq): ClientCommand.Why.answer(reply, about: seq, in: channel, of: self, re: id, into: &output)
        case .whyRight(let seq): ClientCommand.Why.goOn(reply, to: seq)
        case .conversations: ClientCommand.Conversations.answer(reply, in: self, re: id, into: &output)
        }
    }
}
