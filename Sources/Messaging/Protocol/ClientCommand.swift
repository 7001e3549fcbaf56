/// What a client asks for: one line of a text message.
public struct ClientCommand: Equatable, Sendable {
    /// The client's number for the reply; without it there is no reply.
    public var id: UInt64?
    public var body: Body

    public init(id: UInt64?, body: Body) {
        self.id = id
        self.body = body
    }

    public enum Body: Equatable, Sendable {
        case connect(token: String?, subscriptions: [SubscriptionRequest])
        case refresh(token: String)
        case subscribe(SubscriptionRequest)
        case unsubscribe(channel: String)
        case ack(channel: String, seq: Seq)
        case markSeen(channel: String, upTo: Seq)
        case markRead(channel: String, ReadSelection)
        /// Ascending, no number twice.
        case markUnread(channel: String, [Seq])
        case open(with: UserID, context: String?)
        case send(SendDraft)
        /// At most one of `after` and `before`; `limit` is 1…`CommandLimits.historyPage`.
        case history(channel: String, after: Seq?, before: Seq?, limit: Int)
        /// The user's conversations behind `before` (a channel's name as written), or from the newest; `limit` as above.
        case conversations(before: String?, limit: Int)
        case typing(channel: String)
        case ping
    }

    /// What `mark-read` names.
    public enum ReadSelection: Equatable, Sendable {
        case upTo(Seq)
        /// At most `CommandLimits.setSize` elements.
        case set([Seq])
        /// All that this session was sent: what came since may not have been before anybody's eyes.
        case all
    }

    /// The `type` on the wire.
    public enum Kind: String, CaseIterable, Sendable {
        case connect, refresh, subscribe, unsubscribe, ack
        case markSeen = "mark-seen"
        case markRead = "mark-read"
        case markUnread = "mark-unread"
        case open, send, history, conversations, typing, ping
    }

    /// The largest `id` and `seq`: what every JSON reader keeps exactly (RFC 7493 §2.2).
    public static let maximumNumber: UInt64 = 1 << 53 - 1
}

/// A channel to follow, and the position the client has it to.
public struct SubscriptionRequest: Equatable, Sendable {
    /// The name as written; whether it names a channel is the session's to say.
    public var channel: String
    /// The newest entry the client has; nil starts at the head.
    public var since: Seq?

    public init(channel: String, since: Seq? = nil) {
        self.channel = channel
        self.since = since
    }
}

/// A message to be stored, as its author wrote it.
public struct SendDraft: Equatable, Sendable {
    public enum Target: Equatable, Sendable {
        case channel(String)
        /// The 1:1 conversation with this user, bound to the draft's `context` if it has one.
        case user(UserID)
    }

    public var target: Target
    /// Made by the client, 1…64 bytes; a repeat is the same message.
    public var key: String
    /// Not blank.
    public var body: String
    public var context: String?
    public var replyTo: Seq?
    /// Compact JSON text of any kind but null.
    public var data: String?

    public init(
        target: Target, key: String, body: String, context: String? = nil, replyTo: Seq? = nil, data: String? = nil
    ) {
        self.target = target
        self.key = key
        self.body = body
        self.context = context
        self.replyTo = replyTo
        self.data = data
    }

    /// The members only clients read, as `EntryDraft.content` wants them.
    public var content: String {
        var members = MemberText()
        members.add("body", string: body)
        if let context { members.add("context", string: context) }
        if let data { members.add("data", json: data) }
        if let replyTo { members.add("replyTo", integer: replyTo.rawValue) }
        return members.text
    }
}

/// What one command may ask for. Announced to clients in the reply to `connect`.
public struct CommandLimits: Equatable, Sendable {
    /// UTF-8 bytes of a message body; a page of text. Larger: `too_large`.
    public var bodyBytes = 8_192
    /// Bytes of the compact text of `data`; it is for references, files go elsewhere. Larger: `too_large`.
    public var dataBytes = 16_384
    /// Numbers in `seqs`; one statement to the store. More: `limit_exceeded`.
    public var setSize = 1_000
    /// Channels in `connect`; more: `limit_exceeded`.
    public var subscriptions = Session.Limits().subscriptions
    /// Entries `history`, and channels `conversations` gives at most; asking for more gives this many.
    public var historyPage = Session.Limits().historyPage
    /// Commands in one message; each may get a reply, so this bounds what one message makes the hub send. More: `limit_exceeded`.
    public var commandsPerMessage = 64
    /// Bytes of a send key. Larger: `bad_request`.
    public static let keyBytes = 64
    /// Bytes of the name of a context. Larger: `bad_request`.
    public static let contextBytes = 255

    public init() {}
}

/// Why a line is no command, ready to be answered.
public struct CommandRejection: Error, Equatable, Sendable {
    /// The command's number if it could be read; otherwise the reply says `"re":null`.
    public var id: UInt64?
    public var code: ErrorCode
    /// Names the member and what is accepted.
    public var message: String

    public init(id: UInt64?, _ code: ErrorCode, _ message: String) {
        self.id = id
        self.code = code
        self.message = message
    }
}
