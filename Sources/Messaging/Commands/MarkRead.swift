internal import JSON

extension ClientCommand {
    public struct MarkRead: Equatable, Sendable {
        public enum Selection: Equatable, Sendable {
            case upTo(Seq)
            /// Numbers in ascending order without duplicates; at most `CommandLimits.setSize`.
            case set([Seq])
            /// Every entry that the hub has sent to this session. The user cannot have read later ones.
            case all
        }

        public let channel: String
        public let selection: Selection
    }
}

extension ClientCommand.MarkRead: Command {
    static let name = "mark-read"
    static let summary = "Marks as read one entry, a set of entries, all up to a position, or all that were sent."
    static let schema = CommandSchema(
        required: [.channel: CommandSchema.channel],
        oneOf: [
            .seq: CommandSchema.seq, .seqs: CommandSchema.seqs, .upTo: CommandSchema.position, .all: ["const": true],
        ])

    var listed: ClientCommand.Body { .markRead(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        try members.exactlyOne(of: [.seq, .seqs, .upTo, .all])
        if let all = members[.all] {
            guard all.bool(in: bytes) == true else { throw .badRequest(.all, "true") }
            selection = .all
        } else if members[.upTo] != nil {
            selection = .upTo(try members.position(.upTo, in: bytes))
        } else {
            selection = .set(try members.entries(in: bytes, limits))
        }
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let (_, channel, newest) = try session.granted(channel, of: context.user, position)
        let move: ReadMove =
            switch selection {
            case .upTo(let seq): .upTo(seq)
            case .set(let seqs): .set(seqs)
            case .all: .upTo(newest)
            }
        try session.requireSent(move.highest, newest: newest)
        return .store(.move(context.user, channel, .read(move), session: session.id), .mark)
    }
}

extension ClientCommand {
    /// The reply to `mark-seen`, `mark-read` and `mark-unread`.
    static func answerMark(_ reply: StoreReply, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .moved(let moved, _) = reply else { return nil }
        if let id { ServerMessage.marked(re: id, moved.state, into: &output) }
        return .told
    }
}

extension ReadMove {
    /// The newest entry of the command.
    fileprivate var highest: Seq {
        switch self {
        case .upTo(let seq): seq
        case .set(let seqs): seqs.last ?? .zero
        }
    }
}
