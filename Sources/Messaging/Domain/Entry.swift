/// What is about to be stored in a channel: everything but its `seq` and time of storing.
public struct EntryDraft: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable { case notification, message, system }
    public enum Priority: String, CaseIterable, Sendable { case low, normal, high, critical }
    public enum Form: String, CaseIterable, Sendable { case full, hint }

    public var channel: Channel
    /// All the rest: one object for the drafts of one event in all its channels, and for every copy on the way to the store and back.
    private var body: Body

    public init(
        channel: Channel, source: String, id: String, kind: Kind, eventType: String, priority: Priority = .normal,
        form: Form = .full, sender: UserID? = nil, content: String, group: String? = nil, collapse: String? = nil,
        expiresAt: Timestamp? = nil, receiptRequired: Bool = false, trace: String? = nil,
        replyTo: Seq? = nil
    ) {
        self.channel = channel
        body = Body(
            Fields(
                source: source, id: id, kind: kind, eventType: eventType, priority: priority, form: form, sender: sender, content: content,
                group: group, collapse: collapse, expiresAt: expiresAt, receiptRequired: receiptRequired, trace: trace, replyTo: replyTo))
    }

    /// The same for another channel.
    func copy(for channel: Channel) -> EntryDraft {
        var copy = self
        copy.channel = channel
        return copy
    }

    public static func == (a: EntryDraft, b: EntryDraft) -> Bool {
        a.channel == b.channel && (a.body === b.body || a.fields == b.fields)
    }

    /// More than twelve stored properties: one for each column of an entry.
    private struct Fields: Equatable {
        var source: String
        var id: String
        var kind: Kind
        var eventType: String
        var priority: Priority
        var form: Form
        var sender: UserID?
        var content: String
        var group: String?
        var collapse: String?
        var expiresAt: Timestamp?
        var receiptRequired: Bool
        var trace: String?
        var replyTo: Seq?
    }

    private final class Body: Sendable {
        let fields: Fields
        init(_ fields: Fields) { self.fields = fields }
    }

    /// Whoever changes a field changes this draft only.
    private var fields: Fields {
        get { body.fields }
        set { body = Body(newValue) }
    }
}

extension EntryDraft {
    /// With `id` the key of de-duplication: at most one entry per (channel, source, id) is ever stored.
    /// `user:<sender>` for messages (then `id` is the client's send key), a CloudEvents `source` or `kafka:<topic>` for events.
    public var source: String { body.fields.source }
    public var id: String { body.fields.id }
    public var kind: Kind { body.fields.kind }
    /// For example `peer-review.requested`; `message` for user messages.
    public var eventType: String { body.fields.eventType }
    public var priority: Priority {
        get { body.fields.priority }
        set { fields.priority = newValue }
    }
    public var form: Form { body.fields.form }
    /// The user who wrote it; nil for notifications. Their own entries never count as unread for them.
    public var sender: UserID? {
        get { body.fields.sender }
        set { fields.sender = newValue }
    }
    /// The members of the entry that only clients read, as the inside of a JSON object without its braces:
    /// `"title":"…","body":"…","context":…,"link":"…","data":{…},"replyTo":7`. Spliced unchanged into frames; never contains U+0000.
    public var content: String { body.fields.content }
    public var group: String? { body.fields.group }
    public var collapse: String? { body.fields.collapse }
    public var expiresAt: Timestamp? {
        get { body.fields.expiresAt }
        set { fields.expiresAt = newValue }
    }
    /// A formal notice: every delivery and reading gets a durable row in `hub.receipt`.
    public var receiptRequired: Bool {
        get { body.fields.receiptRequired }
        set { fields.receiptRequired = newValue }
    }
    /// Kept from the Kafka header (`traceparent`) to the client frame.
    public var trace: String? { body.fields.trace }
    /// The entry of its channel that a message answers, which must be there when it is stored. Stands in `content`, and is not read back.
    public var replyTo: Seq? {
        get { body.fields.replyTo }
        set { fields.replyTo = newValue }
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
