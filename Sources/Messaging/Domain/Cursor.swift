/// One user's progress in one channel.
public struct Cursor: Equatable, Sendable {
    public var delivered: Seq
    public var seen: Seq
    /// Every entry up to this one is read.
    public var read: Seq
    /// The entries read out of order: ascending, disjoint ranges above `read`.
    public var readAlso: [ClosedRange<UInt64>]
    /// The most ranges in `readAlso`, because each reply and push about the cursor carries them all. Exceeded: error limit_exceeded.
    public static let mostRanges = 1_000

    public init(delivered: Seq = .zero, seen: Seq = .zero, read: Seq = .zero, readAlso: [ClosedRange<UInt64>] = []) {
        self.delivered = delivered
        self.seen = seen
        self.read = read
        self.readAlso = readAlso
    }
}

/// The server's counts for one (user, channel): absolute numbers as of `head`. Clients replace their numbers and never add to them.
public struct Counters: Equatable, Sendable {
    public var unread: UInt32
    public var unseen: UInt32
    /// The unread entries of priority high or critical.
    public var urgent: UInt32
    public init(unread: UInt32 = 0, unseen: UInt32 = 0, urgent: UInt32 = 0) {
        self.unread = unread
        self.unseen = unseen
        self.urgent = urgent
    }

    public static func += (sum: inout Counters, other: Counters) {
        sum.unread &+= other.unread
        sum.unseen &+= other.unseen
        sum.urgent &+= other.urgent
    }
}

/// One user's state in one channel, read in one snapshot.
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
    /// The progress of each member of a conversation. The answer to a cursor move has only the user's own, and only where the others are told
    /// less than the cursor says, because newer entries are hidden from the user.
    public var progress: [MemberProgress]
    /// The number of the oldest entry that was not removed because of its age; 1 when none was.
    public var first = Seq(1)
    /// Members who have blocked the user: typing signals do not reach them.
    public var hiddenFrom: [UserID] = []
    /// The user has blocked another member.
    public var blocksMember = false
    /// The earliest expiry of the counted entries. From that time on `counters` are outdated.
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
    /// Messages in it are messages to a group.
    public var isGroup: Bool { members.count > 2 }

    /// The receipts that `user` receives: the progress of the other members who have received at least one entry.
    public func receipts(for user: UserID) -> [MemberProgress] {
        progress.filter { $0.user != user && ($0.delivered > .zero || $0.read > .zero) }
    }
}

/// A cursor after a request to move it. The reply and all pushes share this one object, because every ack makes one and copying its
/// state for each recipient would cost too much.
public final class MovedCursor: Equatable, Sendable {
    public let user: UserID
    public let state: ChannelState
    /// `delivered` or `read` has advanced, so the other members of a conversation receive a receipt.
    public let isProgress: Bool
    /// The session that requested the move.
    public let session: String

    public init(_ user: UserID, _ state: ChannelState, isProgress: Bool, session: String) {
        self.user = user
        self.state = state
        self.isProgress = isProgress
        self.session = session
    }

    /// The progress that receipts tell the other members of the conversation.
    public var told: MemberProgress {
        state.progress.first ?? MemberProgress(user, delivered: state.cursor.delivered, read: state.cursor.read)
    }

    public static func == (a: MovedCursor, b: MovedCursor) -> Bool {
        a.user == b.user && a.state == b.state && a.isProgress == b.isProgress && a.session == b.session
    }
}

/// The part of a member's progress that the other members of a conversation may see.
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

/// A forward move of a cursor, or an explicit mark-unread.
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
