/// One authenticated principal on one connection, event stream or series of polls: its subscriptions and its state. It judges the
/// commands in `Commands/`. It knows no socket, clock, store or token format.
///
/// Invariant: the session refuses every other command until `connect` has succeeded; the user of its identity never changes.
public struct Session: ~Copyable, Sendable {
    public enum Phase: Equatable, Sendable {
        /// The client has not sent `connect` yet.
        case greeting
        /// The key source is fetching the token's key.
        case verifying
        /// The user is known; the store has not answered the `connect` yet.
        case opening
        case open
    }

    /// The session's slot in the roster of a channel.
    public struct Subscription: Equatable, Sendable {
        public let channel: Channel
        public let roster: UInt32
        public let slot: UInt32
        /// Distinguishes this subscription from an earlier one to the same channel, whose answers may still arrive.
        public let registration: UInt32
        public init(channel: Channel, roster: UInt32, slot: UInt32, registration: UInt32) {
            self.channel = channel
            self.roster = roster
            self.slot = slot
            self.registration = registration
        }
    }

    public struct Limits: Equatable, Sendable {
        /// Channels one session may follow; bounds its memory and its share of every fan-out.
        public var subscriptions = CommandLimits().subscriptions
        /// Conversations that two people may have with each other. Without a bound, anyone could open any number with a user they can name.
        public var conversationsOfPair = 100
        /// Conversations and other memberships with which a user may still open a new conversation.
        public var conversationsOfUser = 5_000
        /// Messages that a user may write in a conversation before anybody else has written there; 0: any number.
        public var unanswered = 20
        /// Users whom a user may have blocked. The reply to `blocks` names all of them.
        public var blocks = 1_000
        /// Entries in one `history` reply or replay page.
        public var historyPage = CommandLimits().historyPage
        /// Milliseconds between two typing signals of one session in one conversation.
        public var typingInterval: Int64 = 3_000
        /// Users may share whether they are there.
        public var sharesPresence = false
        public init() {}

        public func has(_ feature: Feature) -> Bool { feature != .presence || sharesPresence }
    }

    /// State that few subscriptions need, kept apart so that the others stay small.
    private struct Rare {
        /// The time of the last typing signal that the hub passed on: the low 32 bits of its milliseconds.
        var typedAt: UInt32?
        /// The newest position before the client rewound the subscription.
        var sentBeforeRewind = Seq.zero
        /// Members of the conversation who have blocked the user.
        var hiddenFrom: [UserID] = []
    }

    public private(set) var identity: Identity?
    public private(set) var subscriptions: [Subscription] = []
    /// An empty dictionary allocates nothing, so an idle session pays one word for it.
    private var rare: [Channel: Rare] = [:]

    /// Public name of the session: in the connect reply, logs and receipt rows.
    public let id: String
    // Declared last so that a value after the session can share its padding.
    public private(set) var phase: Phase = .greeting

    public init(id: String) { self.id = id }

    // MARK: Identity

    public mutating func awaitKeys() { phase = .verifying }

    /// Returns to `greeting` after a failed `connect`, which the client may repeat. Returns the subscriptions that the attempt had made.
    public mutating func abandonConnect() -> [Subscription] {
        phase = .greeting
        defer { subscriptions = [] }
        return subscriptions
    }

    /// False when the token belongs to another user: a session never changes its user.
    public mutating func identify(_ new: Identity) -> Bool {
        if let identity, identity.user != new.user { return false }
        identity = new
        if phase != .open { phase = .opening }
        return true
    }

    /// Opens the session: `connect` has succeeded, and the session now accepts every command.
    public mutating func welcome() { phase = .open }

    /// The subscriptions to broadcasts that the old token granted and the new one does not.
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

    /// The subscription to the channel; nil when the session does not follow it.
    public func following(_ channel: Channel) -> Subscription? {
        for index in subscriptions.indices where subscriptions[index].channel == channel { return subscriptions[index] }
        return nil
    }

    /// The index of the subscription with this registration; nil when the subscription has ended.
    public func subscription(registered registration: UInt32) -> Int? {
        subscriptions.firstIndex { $0.registration == registration }
    }

    /// Reserves memory for `count` more subscriptions, because an array that grows element by element doubles its capacity.
    public mutating func expect(subscriptions count: Int) { subscriptions.reserveCapacity(subscriptions.count + count) }

    public mutating func joined(_ subscription: Subscription) { subscriptions.append(subscription) }

    @discardableResult
    public mutating func left(at index: Int) -> Subscription {
        let left = subscriptions.remove(at: index)
        // The pace of typing survives, so that a new subscription is no way around it.
        if !rare.isEmpty { rare[left.channel] = rare[left.channel]?.typedAt.map { Rare(typedAt: $0) } }
        return left
    }

    /// The client rewound the subscription. Entries up to `position` still count as sent, so it may acknowledge them.
    public mutating func rewound(_ channel: Channel, from position: Seq) {
        let known = rare[channel, default: Rare()].sentBeforeRewind
        rare[channel, default: Rare()].sentBeforeRewind = max(known, position)
    }

    /// Whether the hub may pass on a typing signal now. True also records the signal's time.
    mutating func mayTellTyping(_ channel: Channel, at now: Timestamp, interval: Int64) -> Bool {
        let milliseconds = UInt32(truncatingIfNeeded: now.milliseconds)
        if let last = rare[channel]?.typedAt, milliseconds &- last < interval { return false }
        if rare.count > subscriptions.count + Self.leftChannels {
            let followed = Set(subscriptions.map(\.channel))
            rare = rare.filter { followed.contains($0.key) || $0.value.typedAt.map { milliseconds &- $0 < interval } == true }
        }
        rare[channel, default: Rare()].typedAt = milliseconds
        return true
    }

    /// Beyond so many channels that are no longer followed, those in which typing is due again are forgotten.
    private static let leftChannels = 8

    /// Takes over from the store who has blocked the user in a followed conversation.
    public mutating func note(hiddenFrom users: [UserID], in channel: Channel) {
        // Nearly nobody is blocked.
        if users.isEmpty {
            if !rare.isEmpty { rare[channel]?.hiddenFrom = [] }
        } else {
            rare[channel, default: Rare()].hiddenFrom = users
        }
    }

    /// Members of the conversation whom a typing signal of the user does not reach.
    public func hiddenFrom(in channel: Channel) -> [UserID] { rare.isEmpty ? [] : rare[channel]?.hiddenFrom ?? [] }

    // MARK: Channels and entries in commands

    /// The newest entry that the hub sent in a subscription, or that the client reported as received; nil until the store has granted it.
    typealias Position = (Subscription) -> Seq?

    /// The user after a successful `connect`.
    func connectedUser() throws(Refusal) -> UserID {
        guard phase == .open, let user = identity?.user else {
            throw Refusal(.notConnected, "send connect first and wait for its reply")
        }
        return user
    }

    func channel(_ name: String, of user: UserID) throws(Refusal) -> Channel {
        guard let channel = Channel(wireName: name, for: user) else {
            throw Refusal(.unknownChannel, "channel: expected inbox, broadcast:<name> or conversation:<uuid>")
        }
        return channel
    }

    /// The subscription to the named channel, granted by the store or not.
    func followed(_ name: String, of user: UserID) throws(Refusal) -> (index: Int, channel: Channel) {
        // Nearly all clients spell the name as the subscription holds it. The parser handles other spellings.
        if let index = subscriptions.firstIndex(where: { $0.channel.isNamed(onTheWire: name.utf8.span) }) {
            return (index, subscriptions[index].channel)
        }
        let channel = try channel(name, of: user)
        guard let index = subscription(to: channel) else {
            throw Refusal(.notSubscribed, "this session does not follow the channel; subscribe first")
        }
        return (index, channel)
    }

    /// The subscription to the named channel, which the store must have granted, and the newest entry sent in it.
    func granted(
        _ name: String, of user: UserID, _ position: Position
    ) throws(Refusal) -> (index: Int, channel: Channel, newest: Seq) {
        let (index, channel) = try followed(name, of: user)
        guard let newest = position(subscriptions[index]) else {
            throw Refusal(.notSubscribed, "the channel is not followed yet; wait for the reply to connect or subscribe")
        }
        if rare.isEmpty { return (index, channel, newest) }
        return (index, channel, max(newest, rare[channel]?.sentBeforeRewind ?? .zero))
    }

    /// The named channel, after the check that the client may move a cursor in it up to `seq`.
    func sent(_ name: String, of user: UserID, upTo seq: Seq, _ position: Position) throws(Refusal) -> Channel {
        let (_, channel, newest) = try granted(name, of: user, position)
        try requireSent(seq, newest: newest)
        return channel
    }

    /// Refuses to move a cursor beyond the newest entry that the hub sent or the client reported as received.
    func requireSent(_ seq: Seq, newest: Seq) throws(Refusal) {
        guard seq <= newest else {
            throw Refusal(.notSent, "seq \(seq.rawValue) was not sent on this session; the newest is \(newest.rawValue)")
        }
    }
}
