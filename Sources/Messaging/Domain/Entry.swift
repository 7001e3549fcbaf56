/// An entry before the store has given it a `seq` and a time.
public struct EntryDraft: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case notification, message, system
        /// Replaces the text of an earlier entry, or takes it back. It counts for nobody.
        case change, retraction

        public var isChange: Bool { self == .change || self == .retraction }
    }
    public enum Priority: String, CaseIterable, Sendable { case low, normal, high, critical }
    public enum Form: String, CaseIterable, Sendable { case full, hint }

    public var channel: Channel
    /// The fields that do not depend on the channel. The drafts of one event and all their copies share this object.
    private var body: Body

    public init(
        channel: Channel, source: String, id: String, kind: Kind, eventType: String, priority: Priority = .normal,
        form: Form = .full, sender: UserID? = nil, content: String, group: String? = nil, collapse: String? = nil,
        expiresAt: Timestamp? = nil, receiptRequired: Bool = false, trace: String? = nil,
        replyTo: Seq? = nil, cause: Cause? = nil, record: RecordOrigin? = nil
    ) {
        self.channel = channel
        body = Body(
            Fields(
                source: source, id: id, kind: kind, eventType: eventType, priority: priority, form: form, sender: sender, content: content,
                group: group, collapse: collapse, expiresAt: expiresAt, receiptRequired: receiptRequired, trace: trace, replyTo: replyTo,
                cause: cause), record)
    }

    /// The same entry for another channel.
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
        var cause: Cause?
    }

    private final class Body: Sendable {
        let fields: Fields
        let record: RecordOrigin?
        init(_ fields: Fields, _ record: RecordOrigin?) {
            self.fields = fields
            self.record = record
        }
    }

    /// Copies the shared fields before a change, so that other drafts keep theirs.
    private var fields: Fields {
        get { body.fields }
        set { body = Body(newValue, body.record) }
    }
}

extension EntryDraft {
    /// Together with `id` the de-duplication key: the store keeps at most one entry per (channel, source, id).
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
    /// The author of a message; nil for notifications. An author's own entries never count as unread.
    public var sender: UserID? {
        get { body.fields.sender }
        set { fields.sender = newValue }
    }
    /// The members that only clients read, as the content of a JSON object without its braces:
    /// `"title":"…","body":"…","context":…,"link":"…","data":{…},"replyTo":7`. Encoders copy the text
    /// unchanged into frames. It never contains U+0000.
    public var content: String { body.fields.content }
    public var group: String? { body.fields.group }
    public var collapse: String? { body.fields.collapse }
    public var expiresAt: Timestamp? {
        get { body.fields.expiresAt }
        set { fields.expiresAt = newValue }
    }
    /// The entry is a formal notice: the store writes a row in `hub.receipt` for every delivery and reading.
    public var receiptRequired: Bool {
        get { body.fields.receiptRequired }
        set { fields.receiptRequired = newValue }
    }
    /// The trace context of the Kafka header `traceparent`; the client's frame contains it.
    public var trace: String? { body.fields.trace }
    /// The entry to which a message replies. The store requires that it exists, and never reads it back because `content` contains it.
    public var replyTo: Seq? {
        get { body.fields.replyTo }
        set { fields.replyTo = newValue }
    }
    /// Why the platform made the entry, when it may take the entry back for that reason. Only the store knows it: an entry that was read
    /// has none.
    public var cause: Cause? {
        get { body.fields.cause }
        set { fields.cause = newValue }
    }
    /// The record of Kafka with the event. Only the store knows it, as `cause`. Two drafts that differ in it alone are equal: an event that is
    /// published again is the same event.
    public var record: RecordOrigin? { body.record }

    /// What tells clients that the platform took an entry back. Its source is one that no event can have.
    public static func retraction(of seq: Seq, in channel: Channel) -> EntryDraft {
        EntryDraft(
            channel: channel, source: "", id: "retraction:\(seq.rawValue)", kind: .retraction,
            eventType: Kind.retraction.rawValue, content: #""refers":\#(seq.rawValue)"#)
    }
}

/// Where a record of Kafka is.
public struct RecordOrigin: Equatable, Sendable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

/// One durable item of a channel. Its number and time never change; its text may, by an entry of the kind `change` or `retraction`.
public struct Entry: Equatable, Sendable {
    public let seq: Seq
    public let createdAt: Timestamp
    public let draft: EntryDraft
    /// Users who had blocked the sender when the entry was stored. They get a placeholder in its place, which counts for none of them.
    public let hiddenFrom: [UserID]
    /// The entry has replaced others with its collapse key, which may have been counted. Only a new entry tells; false for one that was read.
    public let replaces: Bool
    public var channel: Channel { draft.channel }
    public init(seq: Seq, createdAt: Timestamp, draft: EntryDraft, hiddenFrom: [UserID] = [], replaces: Bool = false) {
        self.seq = seq
        self.createdAt = createdAt
        self.draft = draft
        self.hiddenFrom = hiddenFrom
        self.replaces = replaces
    }

    public func isHidden(from user: UserID?) -> Bool {
        guard !hiddenFrom.isEmpty, let user else { return false }
        return hiddenFrom.contains(user)
    }
}

/// How a new entry changes the counters of everyone but its author.
public enum EntryWeight: UInt8, Equatable, Sendable {
    /// It counts for nobody.
    case none
    case normal
    /// It counts as urgent, too.
    case urgent
}

extension EntryDraft {
    /// An entry may have expired before it comes: then it never counts.
    public func weight(at now: Timestamp) -> EntryWeight {
        if kind.isChange { return .none }
        if let expiresAt, expiresAt <= now { return .none }
        switch priority {
        case .low, .normal: return .normal
        case .high, .critical: return .urgent
        }
    }
}
