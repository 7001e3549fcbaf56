/// What is about to be stored in a channel: everything but its `seq` and time of storing.
public struct EntryDraft: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable { case notification, message, system }
    public enum Priority: String, CaseIterable, Sendable { case low, normal, high, critical }
    public enum Form: String, CaseIterable, Sendable { case full, hint }

    public var channel: Channel
    /// With `id` the key of de-duplication: at most one entry per (channel, source, id) is ever stored.
    /// `user:<sender>` for messages (then `id` is the client's send key), a CloudEvents `source` or `kafka:<topic>` for events.
    public var source: String
    public var id: String
    public var kind: Kind
    /// For example `peer-review.requested`; `message` for user messages.
    public var eventType: String
    public var priority: Priority
    public var form: Form
    /// The user who wrote it; nil for notifications. Their own entries never count as unread for them.
    public var sender: UserID?
    /// The members of the entry that only clients read, as the inside of a JSON object without its braces:
    /// `"title":"…","body":"…","context":…,"link":"…","data":{…},"replyTo":7`. Spliced unchanged into frames; never contains U+0000.
    public var content: String
    public var group: String?
    public var collapse: String?
    public var expiresAt: Timestamp?
    /// A formal notice: every delivery and reading gets a durable row in `hub.receipt`.
    public var receiptRequired: Bool
    /// Kept from the Kafka header (`traceparent`) to the client frame.
    public var trace: String?
    /// The entry of its channel that a message answers, which must be there when it is stored. Stands in `content`, and is not read back.
    public var replyTo: Seq?

    public init(
        channel: Channel, source: String, id: String, kind: Kind, eventType: String, priority: Priority = .normal,
        form: Form = .full, sender: UserID? = nil, content: String, group: String? = nil, collapse: String? = nil,
        expiresAt: Timestamp? = nil, receiptRequired: Bool = false, trace: String? = nil,
        replyTo: Seq? = nil
    ) {
        self.channel = channel
        self.source = source
        self.id = id
        self.kind = kind
        self.eventType = eventType
        self.priority = priority
        self.form = form
        self.sender = sender
        self.content = content
        self.group = group
        self.collapse = collapse
        self.expiresAt = expiresAt
        self.receiptRequired = receiptRequired
        self.trace = trace
        self.replyTo = replyTo
    }
}

/// One durable item of a channel. Immutable once stored.
public struct Entry: Equatable, Sendable {
    public let seq: Seq
    public let createdAt: Timestamp
    public let draft: EntryDraft
    public var channel: Channel { draft.channel }
    public init(seq: Seq, createdAt: Timestamp, draft: EntryDraft) {
        self.seq = seq
        self.createdAt = createdAt
        self.draft = draft
    }
}
