/// One authenticated principal on one connection (or one SSE or polling exchange): which commands it may give, and
/// what has to be done for each. Knows no socket, clock, store or token format.
///
/// Invariant: nothing but `connect` is obeyed before `connect` was answered with success; an identity's user never changes.
public struct Session: ~Copyable, Sendable {
    public enum Phase: Equatable, Sendable {
        /// `connect` has not come yet.
        case greeting
        /// The token's key is being fetched.
        case verifying
        /// It is known who it is; the store has not answered the `connect` yet.
        case opening
        case open
    }

    /// Where this session stands in a channel's roster.
    public struct Subscription: Equatable, Sendable {
        public let channel: Channel
        public let roster: UInt32
        public let place: UInt32
        /// Tells this following of the channel from an earlier one, whose answers may still come.
        public let registration: UInt32
        public init(channel: Channel, roster: UInt32, place: UInt32, registration: UInt32) {
            self.channel = channel
            self.roster = roster
            self.place = place
            self.registration = registration
        }
    }

    public struct Limits: Equatable, Sendable {
        /// Channels one session may follow; bounds its memory and its share of every fan-out.
        public var subscriptions = 256
        /// Conversations two people may have, each about something else: whoever knows a name can open them with its owner.
        public var conversationsOfPair = 100
        /// Entries in one `history` reply or replay page.
        public var historyPage = 100
        /// Milliseconds between two typing signals of one session in one conversation.
        public var typingInterval: Int64 = 3_000
        public init() {}
    }

    /// What the driver must do for a command. Exactly one per command.
    public enum Action: Equatable, Sendable {
        case refuse(ErrorCode, String)
        /// Check this token (nil: the one that came with the handshake), then `connect` or `refresh`.
        case connect(token: String?, [SubscriptionRequest])
        case refresh(token: String)
        /// Register first, then ask the store.
        case subscribe(Channel, since: Seq?)
        /// Follows it already; with `rewind` the entries after that position are wanted again.
        case restate(Int, rewind: Seq?)
        case unsubscribe(Int)
        case store(StoreRequest, Purpose)
        /// Open the 1:1 conversation, then store the draft in it.
        case openAndSend(with: UserID, SendDraft)
        case typing(Channel)
        case acknowledgeTyping
        case tellTime
    }

    /// Why the store was asked; decides how its reply is told.
    public enum Purpose: Equatable, Sendable {
        case ack
        case mark
        case open
        case send
        case history
        case conversations
        case entitlement(after: Seq?, before: Seq?, limit: Int)
    }

    public private(set) var identity: Identity?
    public private(set) var subscriptions: [Subscription] = []
    /// By registration, the low bits of milliseconds: a typing signal is passed on at most once per `Limits.typingInterval`. Few sessions
    /// ever have one.
    private var typedAt: [UInt32: UInt32] = [:]

    /// Public name of the session: in the connect reply, logs and receipt rows.
    public let id: String
    // Last, so that what stands beside a session shares its word: there are ten thousands.
    public private(set) var phase: Phase = .greeting

    public init(id: String) { self.id = id }

    // MARK: Identity

    public mutating func awaitKeys() { phase = .verifying }

    /// What `connect` began could not be finished: it may be tried again. Answers the subscriptions it had made.
    public mutating func abandonConnect() -> [Subscription] {
        phase = .greeting
        defer { subscriptions = [] }
        return subscriptions
    }

    /// False when the token belongs to somebody else: a connection never changes its user.
    public mutating func identify(_ new: Identity) -> Bool {
        if let identity, identity.user != new.user { return false }
        identity = new
        if phase != .open { phase = .opening }
        return true
    }

    /// `connect` is answered with success: from now on every command is obeyed.
    public mutating func welcome() { phase = .open }

    /// Broadcasts followed by right of the token that the newest token no longer grants.
    public func lostSubscriptions(from old: Identity) -> [Int] {
        guard let identity else { return [] }
        return subscriptions.indices.filter {
            let channel = subscriptions[$0].channel
            return old.isEntitled(to: channel) && !identity.isEntitled(to: channel)
        }
    }

    // MARK: Subscriptions

    public func subscription(to channel: Channel) -> Int? {
        subscriptions.firstIndex { $0.channel == channel }
    }

    /// The subscription to the channel, if there is one.
    public func following(_ channel: Channel) -> Subscription? {
        for index in subscriptions.indices where subscriptions[index].channel == channel { return subscriptions[index] }
        return nil
    }

    /// The subscription that began with this registration, if it has not ended.
    public func subscription(registered registration: UInt32) -> Int? {
        subscriptions.firstIndex { $0.registration == registration }
    }

    /// Room for so many: an array that grows by itself takes twice what it needs.
    public mutating func expect(subscriptions count: Int) { subscriptions.reserveCapacity(subscriptions.count + count) }

    public mutating func joined(_ subscription: Subscription) { subscriptions.append(subscription) }

    @discardableResult
    public mutating func left(at index: Int) -> Subscription {
        typedAt[subscriptions[index].registration] = nil
        return subscriptions.remove(at: index)
    }

    // MARK: Commands

    /// - Parameters:
    ///   - now: for the pace of typing signals.
    ///   - position: what this session was sent in a subscription; nil while the store has not agreed to it.
    public mutating func receive(_ body: ClientCommand.Body, now: Timestamp, limits: Limits, position: (Subscription) -> Seq?) -> Action {
        do {
            return try judge(body, now: now, limits: limits, position: position)
        } catch {
            return .refuse(error.code, error.reason)
        }
    }

    /// The short way of nearly every command: an ack up to what this session was sent, of a channel that it follows under that very name.
    /// Nil for any other; `receive` knows what is to be said about that.
    public func acknowledge(_ seq: Seq, in name: Span<UInt8>, position: (Subscription) -> Seq?) -> StoreRequest? {
        guard phase == .open, let user = identity?.user else { return nil }
        for index in subscriptions.indices where subscriptions[index].channel.isNamed(onTheWire: name) {
            guard let newest = position(subscriptions[index]), seq <= newest else { return nil }
            return .move(user, subscriptions[index].channel, .delivered(seq), session: id)
        }
        return nil
    }

    private struct Refusal: Error {
        let code: ErrorCode
        let reason: String
        init(_ code: ErrorCode, _ reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    private mutating func judge(
        _ body: ClientCommand.Body, now: Timestamp, limits: Limits, position: (Subscription) -> Seq?
    ) throws(Refusal) -> Action {
        if case .connect(let token, let requests) = body {
            guard phase == .greeting else { throw Refusal(.alreadyConnected, "connect was already sent on this connection") }
            return .connect(token: token, requests)
        }
        guard phase == .open, let identity else { throw Refusal(.notConnected, "send connect first and wait for its reply") }
        let user = identity.user

        switch body {
        case .connect: throw Refusal(.alreadyConnected, "connect was already sent on this connection")
        case .refresh(let token): return .refresh(token: token)
        case .ping: return .tellTime
        case .subscribe(let request):
            let channel = try channel(request.channel, user)
            if let index = subscription(to: channel) { return .restate(index, rewind: request.since) }
            guard subscriptions.count < limits.subscriptions else {
                throw Refusal(.limitExceeded, "a session may follow \(limits.subscriptions) channels; unsubscribe from one first")
            }
            return .subscribe(channel, since: request.since)
        case .unsubscribe(let name):
            return .unsubscribe(try followed(name, user).index)
        case .ack(let name, let seq):
            return .store(.move(user, try sent(name, user, seq, position), .delivered(seq), session: id), .ack)
        case .markSeen(let name, let seq):
            return .store(.move(user, try sent(name, user, seq, position), .seen(seq), session: id), .mark)
        case .markRead(let name, let selection):
            let move: ReadMove
            switch selection {
            case .upTo(let seq): move = .upTo(seq)
            case .set(let seqs): move = .set(seqs)
            case .all: move = .upTo(try granted(name, user, position).newest)
            }
            return .store(.move(user, try sent(name, user, move.highest, position), .read(move), session: id), .mark)
        case .markUnread(let name, let seqs):
            return .store(.move(user, try sent(name, user, seqs.max() ?? .zero, position), .unread(seqs), session: id), .mark)
        case .open(let other, let context):
            guard other != user else { throw Refusal(.badRequest, "with: a conversation needs somebody else") }
            return .store(.open(user, with: other, context: context, most: limits.conversationsOfPair), .open)
        case .send(let draft):
            switch draft.target {
            case .channel(let name):
                let channel = try channel(name, user)
                guard channel.kind == .conversation else { throw Refusal(.forbidden, "people write in conversations only") }
                return .store(.append(draft.entry(from: user, in: channel)), .send)
            case .user(let other):
                guard other != user else { throw Refusal(.badRequest, "to: a conversation needs somebody else") }
                return .openAndSend(with: other, draft)
            }
        case .history(let name, let after, let before, let limit):
            let channel = try channel(name, user)
            let bounded = min(limit, limits.historyPage)
            if let index = subscription(to: channel), position(subscriptions[index]) != nil {
                return .store(.page(channel, after: after, before: before, limit: bounded), .history)
            }
            return .store(
                .state(user, channel, entitled: identity.isEntitled(to: channel)),
                .entitlement(after: after, before: before, limit: bounded))
        case .conversations(let name, let limit):
            let before = try name.map { name throws(Refusal) in try channel(name, user) }
            if let before, before.kind != .conversation { throw Refusal(.unknownChannel, "before: expected conversation:<uuid>") }
            return .store(.conversations(user, before: before, most: min(limit, limits.historyPage)), .conversations)
        case .typing(let name):
            let (index, channel, _) = try granted(name, user, position)
            guard channel.kind == .conversation else { throw Refusal(.badRequest, "channel: typing is for conversations") }
            let registration = subscriptions[index].registration
            let milliseconds = UInt32(truncatingIfNeeded: now.milliseconds)
            if let last = typedAt[registration], milliseconds &- last < limits.typingInterval { return .acknowledgeTyping }
            typedAt[registration] = milliseconds
            return .typing(channel)
        }
    }

    private func channel(_ name: String, _ user: UserID) throws(Refusal) -> Channel {
        guard let channel = Channel(wireName: name, for: user) else {
            throw Refusal(.unknownChannel, "channel: expected inbox, broadcast:<name> or conversation:<uuid>")
        }
        return channel
    }

    private func followed(_ name: String, _ user: UserID) throws(Refusal) -> (index: Int, channel: Channel) {
        // As a rule it is there under the very name; only what is not needs to be parsed.
        if let index = subscriptions.firstIndex(where: { $0.channel.isNamed(onTheWire: name.utf8.span) }) {
            return (index, subscriptions[index].channel)
        }
        let channel = try channel(name, user)
        guard let index = subscription(to: channel) else {
            throw Refusal(.notSubscribed, "this session does not follow the channel; subscribe first")
        }
        return (index, channel)
    }

    /// A subscription the store has agreed to, and what was sent in it.
    private func granted(
        _ name: String, _ user: UserID, _ position: (Subscription) -> Seq?
    ) throws(Refusal) -> (index: Int, channel: Channel, newest: Seq) {
        let (index, channel) = try followed(name, user)
        guard let newest = position(subscriptions[index]) else {
            throw Refusal(.notSubscribed, "the channel is not followed yet; wait for the reply to connect or subscribe")
        }
        return (index, channel, newest)
    }

    /// A cursor may go only as far as this session was sent: an ack for what was never sent is a client's error.
    private func sent(_ name: String, _ user: UserID, _ seq: Seq, _ position: (Subscription) -> Seq?) throws(Refusal) -> Channel {
        let (_, channel, newest) = try granted(name, user, position)
        guard seq <= newest else {
            throw Refusal(.notSent, "seq \(seq.rawValue) was not sent on this session; the newest is \(newest.rawValue)")
        }
        return channel
    }
}

extension SendDraft {
    /// The message as it is stored: the sender's key makes a repeated send the same entry.
    public func entry(from sender: UserID, in channel: Channel) -> EntryDraft {
        EntryDraft(
            channel: channel, source: "user:" + sender.name, id: key, kind: .message, eventType: "message", sender: sender,
            content: content, replyTo: replyTo)
    }
}

extension ReadMove {
    /// The newest entry named.
    var highest: Seq {
        switch self {
        case .upTo(let seq): seq
        case .set(let seqs): seqs.max() ?? .zero
        }
    }
}
