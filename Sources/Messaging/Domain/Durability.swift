// What the domain asks of whatever makes it durable. The store answers every request exactly once,
// after commit, or with a failure; nothing here knows SQL.

/// A record's place in Kafka, stored in the transaction of the entries it made.
public struct IngestPosition: Equatable, Sendable {
    public var topic: String
    public var partition: Int32
    /// The offset of the last record stored.
    public var offset: Int64
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

public enum StoreRequest: Equatable, Sendable {
    /// Entries of one or more records, with the positions they came from. One transaction for all.
    case ingest([EntryDraft], [IngestPosition])
    /// A message by a member (`draft.sender`) of a conversation; refused with `.forbidden` for anyone else.
    case append(EntryDraft)
    /// The 1:1 conversation of two people (bound to a context or not): found, or made if they have fewer than `most`; else
    /// `.tooManyConversations`.
    case open(UserID, with: UserID, context: String?, most: Int)
    /// Ends the user's membership of a conversation; `.forbidden` for anyone who is no member. Answered with an empty state of the channel.
    case leave(UserID, Channel)
    /// Everything `connect` answers: the user's inbox, the given broadcasts, what they are a member of among `asked`, and at most so many
    /// of all channels they are a member of: broadcasts first, then the conversations in which something happened last.
    case snapshot(UserID, broadcasts: [String], asked: [Channel], most: Int)
    /// The conversations of a user, those in which something happened last first: the first so many, or those behind `before`, which is
    /// one of them.
    case conversations(UserID, before: Channel?, most: Int)
    /// One channel's state for a user, after checking entitlement: own inbox; a conversation they are a member of;
    /// a broadcast when `entitled` or when `hub.member` says so. `.forbidden` otherwise, also for what does not exist.
    case state(UserID, Channel, entitled: Bool)
    /// Entries in ascending order: with `after`, the first `limit` behind it; else the last `limit` before `before` (nil = from the head).
    /// Entitlement was checked by `state` before.
    case page(Channel, after: Seq?, before: Seq?, limit: Int)
    /// Moves a cursor; never beyond the head. `session` is kept in the receipt rows of formal notices.
    case move(UserID, Channel, CursorChange, session: String)
}

public enum StoreReply: Equatable, Sendable {
    /// Per draft in the order of the request: where it is stored, and whether it already was.
    case stored([StoredDraft])
    /// Of an `ingest`: as `stored`, but what stands at nil is for a conversation that does not exist, and was left out.
    case partlyStored([StoredDraft?])
    /// `created` is false when the conversation existed.
    case opened(ChannelState, created: Bool)
    /// Answers `snapshot` and `conversations`; `more` when the user is a member of more channels than were to be listed.
    case snapshot([ChannelState], more: Bool)
    case state(ChannelState)
    case page([Entry], head: Seq, more: Bool)
    case moved(MovedCursor, changed: Bool)
    case failed(StoreFailure)
}

public struct StoredDraft: Equatable, Sendable {
    public var seq: Seq
    public var createdAt: Timestamp
    public var duplicate: Bool
    public init(seq: Seq, createdAt: Timestamp, duplicate: Bool) {
        self.seq = seq
        self.createdAt = createdAt
        self.duplicate = duplicate
    }
}

public enum StoreFailure: Error, Equatable, Sendable {
    /// Not a member, not entitled, or it does not exist: deliberately one answer.
    case forbidden
    /// The store is away, full or starting. Usually nothing was done; but when the connection was lost during the commit,
    /// nobody knows. Asking the same again later is right and safe: every request may be repeated without harm.
    case unavailable
    /// Of an `ingest`: as `unavailable`, but because the database took too long over it. Less at once may be quick enough.
    case tooSlow
    /// A message answers an entry that its conversation does not have.
    case noSuchEntry
    /// Two people have as many conversations as they may; those they have can be opened.
    case tooManyConversations
    /// What is read out of order would lie in more pieces than are kept; nothing was read or made unread.
    case tooScattered
    /// The store refused the data itself (the text is for the log and the dead letter, not for clients).
    case refused(String)
}
