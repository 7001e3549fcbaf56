// The domain's requests to the store. The store answers each request exactly once, either after the commit or with a failure.
// These types know no SQL.

/// A record's position in Kafka. The store writes it in the transaction of the record's entries.
public struct IngestPosition: Equatable, Sendable {
    /// The consumer group that read it.
    public var group: String
    public var topic: String
    public var partition: Int32
    /// The offset of the last record stored.
    public var offset: Int64
    /// In an `ingest`: the offset that the database must have reached before, nil when that is not known.
    public var after: Int64?
    /// In an `ingest`: the group has given this hub the partition since its last one. Otherwise nothing is stored when another hub has it.
    public var takesOver = false
    public init(group: String, topic: String, partition: Int32, offset: Int64, after: Int64? = nil) {
        self.group = group
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.after = after
    }
}

/// A partition of a topic in Kafka, as a consumer group reads it.
public struct IngestPartition: Hashable, Sendable {
    public var group: String
    public var topic: String
    public var number: Int32
    public init(group: String, topic: String, number: Int32) {
        self.group = group
        self.topic = topic
        self.number = number
    }
}

public enum StoreRequest: Equatable, Sendable {
    /// Stores the entries of one or more records and the records' positions in one transaction. When the database has not reached what
    /// the positions come after (it was restored from a backup, for example), it stores nothing, and the answer is `.behind`.
    ///
    /// The retractions (ascending by `after`) take entries back, also those of the drafts before them. A draft or retraction of a change that
    /// is not newer than the newest change of its row is a duplicate.
    case ingest([EntryDraft], [IngestPosition], [Retraction] = [])
    /// Reads how far the records of these partitions are stored. The answer is `.positions`.
    case positions([IngestPartition])
    /// Stores a message. The sender (`draft.sender`) must be a member of the conversation; otherwise the answer is `.forbidden`. When the
    /// sender has written `mostUnanswered` messages there and nobody else any, the answer is `.unanswered`. 0: any number.
    case append(EntryDraft, mostUnanswered: Int = 0)
    /// Stores an entry of the kind `change` or `retraction` and changes the message `of` to these members (nil: takes it back). The sender of
    /// the draft must be a member and the message's author; otherwise the answer is `.forbidden` or `.notChangeable`.
    case change(EntryDraft, of: Seq, to: String?)
    /// Finds the 1:1 conversation of two people, with or without a context. The store creates it if the two have fewer than `most`
    /// conversations, and the first of them is a member of fewer than `ofUser` channels. Otherwise it answers `.tooManyConversations`.
    /// With `most` 0 it creates none.
    case open(UserID, with: UserID, context: String?, most: Int, ofUser: Int = 5_000)
    /// Hides the messages that another user writes from now on from this user. `.tooManyBlocks` for a user who has blocked `most` others.
    case block(UserID, UserID, most: Int)
    case unblock(UserID, UserID)
    /// Reads whom a user has blocked. The answer is `.blocks`.
    case blocks(UserID)
    /// Ends the user's membership of a conversation. The answer is an empty state of the channel, or `.forbidden` for a non-member.
    case leave(UserID, Channel)
    /// Reads the channels for the reply to `connect`: the user's inbox, the given broadcasts, the channels of `asked` with the user as a
    /// member, and at most `most` of the user's other channels: broadcasts first, then conversations, most recently active first.
    case snapshot(UserID, broadcasts: [String], asked: [Channel], most: Int)
    /// Reads at most `most` conversations of a user, most recently active first. With `before`, one of these conversations, the list
    /// continues after it.
    case conversations(UserID, before: Channel?, most: Int)
    /// Reads one channel's state for a user who has a right to it: their own inbox, a conversation with the user as a member, or a
    /// broadcast with `entitled` or a row in `hub.member`. Otherwise, and for a missing channel, the answer is `.forbidden`.
    case state(UserID, Channel, entitled: Bool)
    /// Reads whether a conversation is a group's, and what it is about. The answer is `.kind`, or `.forbidden` for a user who is no member.
    case kind(of: Channel, for: UserID)
    /// Reads entries in ascending order: with `after`, the first `limit` entries after it; otherwise the last `limit` before `before`
    /// (nil: up to the head). A `state` request has checked the user's right before.
    case page(Channel, after: Seq?, before: Seq?, limit: Int)
    /// Reads the memberships that ended after the position, whoever ended them, and publishes them.
    case withdrawals(after: WithdrawalPosition)
    /// Reads what other hubs on this database committed since a position, for this hub's loops. Nil: the first
    /// reading, which looks back half a minute.
    case journal(after: String?, node: String)
    /// Takes over what rows grant, makes and ends memberships by it, and publishes the ends. The answer is `.accessChanged`.
    case changeAccess([AccessChange])
    /// Makes and ends the memberships whose dates have come, and publishes the ends. The answer is `.accessSettled`.
    case settleAccess
    /// Puts a fence up, unless one of this key is there. It is published. The answer is `.fenced`.
    case fence(FenceNotice)
    /// Reads the fences that were put up after the position, whoever did it, and publishes them. The answer is `.fences`.
    case fences(after: WithdrawalPosition)
    /// Keeps a one-time ticket of this digest for so long. The answer is `.ticketKept`.
    case keepTicket(String, Identity, life: Duration)
    /// Uses a ticket up. The answer is `.ticket`.
    case takeTicket(String)
    /// Reads which features operators have switched off.
    case switches
    /// A hub says that it works on the database, and how it is. The answer is `.nodes`.
    case beat(NodeReport)
    /// Tells which sources of changes were heard, and reads what all hubs of the consumer group know. The answer is `.sources`.
    case sources(SourceReport)
    /// Removes old entries of a few channels. Only the hub itself asks for this.
    case remove(Removal)
    /// Moves a cursor, never beyond the head. The receipt rows of formal notices keep `session`.
    case move(UserID, Channel, CursorChange, session: String)
}

extension StoreRequest {
    /// The user who asks; nil for an `ingest`, for `positions`, for a `page`, for `withdrawals`, for `journal`, and where nobody's turn is taken.
    public var user: UserID? {
        switch self {
        case .ingest, .positions, .page, .withdrawals, .journal, .beat, .remove, .fence, .fences, .takeTicket, .changeAccess, .settleAccess,
            .sources, .switches:
            nil
        case .keepTicket(_, let identity, _): identity.user
        case .append(let draft, _), .change(let draft, _, _): draft.sender
        case .open(let user, _, _, _, _), .block(let user, _, _), .unblock(let user, _), .blocks(let user),
            .leave(let user, _), .snapshot(let user, _, _, _), .conversations(let user, _, _),
            .state(let user, _, _), .kind(_, let user), .move(let user, _, _, _):
            user
        }
    }
}

public enum StoreReply: Equatable, Sendable {
    /// One element per draft, in the order of the request: its `seq`, its time and whether it is a duplicate. The `seq` is zero when a later
    /// retraction of the request took the draft back, or a newer change of its row did before.
    case stored([StoredDraft])
    /// Answers an `ingest` as `stored` does. An element is nil when the draft's conversation does not exist; the store skipped that draft.
    case partlyStored([StoredDraft?])
    /// Answers `positions`. A partition of which nothing was ever stored is missing.
    case positions([IngestPosition])
    /// Answers an `ingest`: nothing was stored, because the database lacks earlier records. The positions of the request's partitions as
    /// the database has them, without those that it does not have.
    case behind([IngestPosition])
    /// `created` is false when the conversation existed.
    case opened(ChannelState, created: Bool)
    /// Answers `snapshot` and `conversations`. `more` is true when the user has more channels than the request allowed to list.
    case snapshot([ChannelState], more: Bool)
    case state(ChannelState)
    case kind(ConversationKind)
    case page([Entry], head: Seq, more: Bool)
    case moved(MovedCursor, changed: Bool)
    case withdrawals(next: WithdrawalPosition)
    case accessChanged
    /// Whether there may be more to do now.
    case accessSettled(more: Bool)
    case fenced
    case fences(next: WithdrawalPosition)
    case ticketKept
    /// Nil: there is none of this digest, it was used, or it has expired.
    case ticket(Identity?)
    /// Answers `journal`. Nil: so much was committed that it was not read.
    case journal(next: String, [ElsewhereChange]?)
    case switches(Switchboard)
    /// Answers `beat`: the other hubs that work on the database.
    case nodes(NodeNews)
    /// Answers `sources`, by name.
    case sources([SourceState])
    case removed(Removed)
    /// Answers `block` and `unblock`.
    case blockChanged
    /// By name.
    case blocks([UserID])
    case failed(StoreFailure)
}

/// How far the ended memberships were read. A transaction that was open at a reading may commit later with a lower number than others: all
/// from the oldest open one on are read again, and told again.
public struct WithdrawalPosition: Equatable, Sendable {
    public var transaction: Int64
    public var id: Int64
    /// The oldest transaction that was open when the reading began which this position belongs to.
    public var oldestOpen: Int64

    public static let start = WithdrawalPosition(transaction: 0, id: 0, oldestOpen: 0)

    public init(transaction: Int64, id: Int64, oldestOpen: Int64) {
        self.transaction = transaction
        self.id = id
        self.oldestOpen = oldestOpen
    }

    /// A page was full: more is to be read at once. Rows have an id of at least 1.
    public var isBetweenPages: Bool { id > 0 }
}

/// One step through the channels, from which old entries are removed. An entry is removed when it is old and all before it in its channel are:
/// numbers have a gap only at the start.
public struct Removal: Equatable, Sendable {
    /// The step looks at channels behind this one, in the store's own numbering; 0 at the start.
    public var after: Int64
    /// Entries of the kind that are older are removed; nil: none.
    public var notifications: Timestamp?
    public var messages: Timestamp?
    public var system: Timestamp?
    public init(after: Int64, notifications: Timestamp?, messages: Timestamp?, system: Timestamp?) {
        self.after = after
        self.notifications = notifications
        self.messages = messages
        self.system = system
    }
}

public struct Removed: Equatable, Sendable {
    public var entries: Int
    /// Where the next step begins; nil: all channels were looked at.
    public var next: Int64?
    /// The time of the oldest first entry that was found and is kept.
    public var oldest: Timestamp?
    public init(entries: Int, next: Int64?, oldest: Timestamp?) {
        self.entries = entries
        self.next = next
        self.oldest = oldest
    }
}

/// A change that another hub on this database committed.
public enum ElsewhereChange: Equatable, Sendable {
    /// Entries up to this one. A conversation's members are told that it is active.
    case stored(Channel, upTo: Seq, members: [UserID])
    /// A cursor, up to this `ChannelState.version`; 0: not known.
    case moved(UserID, Channel, version: UInt64)
    case opened(Channel, by: UserID, members: [UserID])
    /// Others hide the user's messages from now on, or do so no longer.
    case hidingChanged(Channel, of: UserID)
}

/// By what a switch for messages may tell one conversation from another.
public struct ConversationKind: Equatable, Sendable {
    /// More than two members.
    public var isGroup: Bool
    public var context: String?
    public init(isGroup: Bool, context: String?) {
        self.isGroup = isGroup
        self.context = context
    }
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
    /// The user is no member, has no right, or the channel does not exist. One answer for all three hides which channels exist.
    case forbidden
    /// The store is unreachable, full or starting. When the connection broke during the commit, the outcome is unknown.
    /// Every request is idempotent, so the caller may repeat it later.
    case unavailable
    /// The session that asked has ended, and the store has not carried the request out.
    case cancelled
    /// The database needed too long for an `ingest`. The caller may repeat it with a smaller batch.
    case tooSlow
    /// The message replies to an entry that does not exist in its conversation.
    case noSuchEntry
    /// The entry to be changed is no message of the user, or was taken back.
    case notChangeable
    /// The user has written as many messages in the conversation as one may to somebody who never answered.
    case unanswered
    /// The two people, or the one who opens, have reached the limit of conversations. They can still open the existing ones.
    case tooManyConversations
    /// The user has blocked as many others as one may.
    case tooManyBlocks
    /// `readAlso` would exceed `Cursor.mostRanges`, so the store changed nothing.
    case tooScattered
    /// The store refused the data itself (the text is for the log and the dead letter, not for clients).
    case refused(String)
}
