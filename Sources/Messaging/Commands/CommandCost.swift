// How many commands of the pace `limits.commands-per-second` a command counts for. A ping is the measure.
extension ClientCommand.Body {
    public var cost: Int {
        switch self {
        // Counted when the session ends: the many who connect and stay then cost no memory.
        case .connect: 0
        case .ack, .markSeen, .send, .edit, .delete, .leave, .typing, .activity, .ping, .unsubscribe: 1
        case .markRead(let mark):
            if case .set(let seqs) = mark.selection { 1 + seqs.count / Self.entriesOfOne } else { 1 }
        case .markUnread(let mark): 1 + mark.seqs.count / Self.entriesOfOne
        // One or two reads of the store.
        case .open, .subscribe, .block, .unblock, .presence, .why: 2
        // A signature, or a page of the store that is written as JSON.
        case .refresh, .history, .conversations, .blocks: 5
        }
    }

    /// So many entries that a mark names count as another command.
    private static let entriesOfOne = 20
    public static let costOfConnect = 10
}

extension ParsedLine {
    /// A line that is refused costs as much as a ping.
    public var cost: Int {
        switch self {
        case .plainAck, .rejected: 1
        case .command(let command): command.body.cost
        }
    }

    /// The client's number; nil when there is none, or when it could not be read.
    public var id: UInt64? {
        switch self {
        case .plainAck(let ack): ack.id
        case .command(let command): command.id
        case .rejected(let rejection): rejection.id
        }
    }
}
