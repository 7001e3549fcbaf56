/// How far one user has come in one channel.
public struct Cursor: Equatable, Sendable {
    public var delivered: Seq
    public var seen: Seq
    /// Everything up to here is read.
    public var read: Seq
    /// Read out of order: ascending, disjoint, each above `read`.
    public var readAlso: [ClosedRange<UInt64>]
    /// Most ranges of `readAlso`: each reply and push about the channel carries them all. Exceeded: error limit_exceeded.
    public static let mostRanges = 1_000

    public init(delivered: Seq = .zero, seen: Seq = .zero, read: Seq = .zero, readAlso: [ClosedRange<UInt64>] = []) {
        self.delivered = delivered
        self.seen = seen
        self.read = read
        self.readAlso = readAlso
    }
}

/// The server's own numbers for one (user, channel): absolute, as of `head`, and never made by adding on a client.
public struct Counters: Equatable, Sendable {
    public var unread: UInt32
    public var unseen: UInt32
    /// Of the unread, those of priority high or critical.
    public var urgent: UInt32
    public init(unread: UInt32 = 0, unseen: UInt32 = 0, urgent: UInt32 = 0) {
        self.unread = unread
        self.unseen = unseen
        self.urgent = urgent
    }
}

/// Where a user stands in a channel, all read in one snapshot.
public struct ChannelState: Equatable, Sendable {
    public var channel: Channel
    /// The newest `seq` of the channel in the snapshot; `counters` are as of this.
    public var head: Seq
    public var cursor: Cursor
    public var counters: Counters
    /// Grows with every change of the cursor row. `head + cursorVersion` orders counters of one (user, channel).
    public var cursorVersion: UInt64
    /// Members of a conversation; empty for the other kinds.
    public var members: [UserID]
    /// How far each member of a conversation has come; empty in what a move answers, where nobody asks for it.
    public var progress: [MemberProgress]
    /// When the next of the counted entries expires: from then on `counters` are wrong.
    public var nextExpiry: Timestamp?
    public init(
        channel: Channel, head: Seq = .zero, cursor: Cursor = Cursor(), counters: Counters = Counters(), cursorVersion: UInt64 = 0,
        members: [UserID] = [], progress: [MemberProgress] = [], nextExpiry: Timestamp? = nil
    ) {
        self.channel = channel
        self.head = head
        self.cursor = cursor
        self.counters = counters
        self.cursorVersion = cursorVersion
        self.members = members
        self.progress = progress
        self.nextExpiry = nextExpiry
    }
    public var version: UInt64 { head.rawValue &+ cursorVersion }

    /// What `user` is to be told of the others: those who have got anything yet.
    public func receipts(for user: UserID) -> [MemberProgress] {
        progress.filter { $0.user != user && ($0.delivered > .zero || $0.read > .zero) }
    }
}

/// A cursor after an order to move it. One object for the reply and for all who are told: there is one for every ack, and its state is
/// copied for none of the hands it passes through.
public final class MovedCursor: Equatable, Sendable {
    public let user: UserID
    public let state: ChannelState
    /// It got or read more than before, which the other members of a conversation are told.
    public let isProgress: Bool
    /// Whose order it was.
    public let session: String

    public init(_ user: UserID, _ state: ChannelState, isProgress: Bool, session: String) {
        self.user = user
        self.state = state
        self.isProgress = isProgress
        self.session = session
    }

    public static func == (a: MovedCursor, b: MovedCursor) -> Bool {
        a.user == b.user && a.state == b.state && a.isProgress == b.isProgress && a.session == b.session
    }
}

/// How far a member of a conversation has come, as the others may know it.
public struct MemberProgress: Equatable, Sendable {
    public var user: UserID
    public var delivered: Seq
    public var read: Seq
    public init(_ user: UserID, delivered: Seq, read: Seq) {
        self.user = user
        self.delivered = delivered
        self.read = read
    }
}

/// A forward move of a cursor, or the explicit mark-unread.
public enum CursorChange: Equatable, Sendable {
    case delivered(Seq)
    case seen(Seq)
    case read(ReadMove)
    case unread([Seq])
}

public enum ReadMove: Equatable, Sendable {
    case upTo(Seq)
    /// At most `CommandLimits.setSize` elements.
    case set([Seq])
}
