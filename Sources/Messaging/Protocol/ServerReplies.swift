internal import JSON

/// What the reply to `connect` announces.
public struct Welcome: Equatable, Sendable {
    public struct Limits: Equatable, Sendable {
        public var messageBytes: Int
        public var bodyBytes: Int
        public var subscriptions: Int
        public var inFlight: Int
        public var setSize: Int
        public var historyPage: Int

        public init(messageBytes: Int, bodyBytes: Int, subscriptions: Int, inFlight: Int, setSize: Int, historyPage: Int) {
            self.messageBytes = messageBytes
            self.bodyBytes = bodyBytes
            self.subscriptions = subscriptions
            self.inFlight = inFlight
            self.setSize = setSize
            self.historyPage = historyPage
        }
    }

    /// What is the same for everyone, written once.
    public struct Terms: Equatable, Sendable {
        let text: [UInt8]

        public init(pingIntervalMs: UInt64, limits: Limits, features: [String]) {
            var output: [UInt8] = []
            output.append(member: "pingIntervalMs", integer: pingIntervalMs)
            output.appendText(#","limits":{"messageBytes":"#)
            output.appendInteger(limits.messageBytes)
            output.append(member: "bodyBytes", integer: limits.bodyBytes)
            output.append(member: "subscriptions", integer: limits.subscriptions)
            output.append(member: "inFlight", integer: limits.inFlight)
            output.append(member: "setSize", integer: limits.setSize)
            output.append(member: "historyPage", integer: limits.historyPage)
            output.appendText(#"},"features":["#)
            output.append(list: features) { feature, output in output.appendJSONString(feature) }
            output.append(UInt8(ascii: "]"))
            text = output
        }
    }

    public var session: String
    public var user: UserID
    public var time: Timestamp
    public var tokenExpiresAt: Timestamp
    public var terms: Terms
    public var channels: [ChannelPlace]
    /// The user has more channels than `channels` lists.
    public var more: Bool
    /// Channels that `connect` named and that cannot be followed, each with the reason.
    public var refused: [RefusedChannel]

    public struct RefusedChannel: Equatable, Sendable {
        public var channel: String
        public var code: ErrorCode
        public init(channel: String, code: ErrorCode) {
            self.channel = channel
            self.code = code
        }
    }

    public init(
        session: String, user: UserID, time: Timestamp, tokenExpiresAt: Timestamp, terms: Terms, channels: [ChannelPlace],
        more: Bool = false, refused: [RefusedChannel] = []
    ) {
        self.session = session
        self.user = user
        self.time = time
        self.tokenExpiresAt = tokenExpiresAt
        self.terms = terms
        self.channels = channels
        self.more = more
        self.refused = refused
    }
}

/// A channel as its state is told to one session.
public struct ChannelPlace: Equatable, Sendable {
    public var state: ChannelState
    public var isSubscribed: Bool
    /// The position the subscription starts from; nil leaves the member out.
    public var since: Seq?

    public init(_ state: ChannelState, isSubscribed: Bool, since: Seq? = nil) {
        self.state = state
        self.isSubscribed = isSubscribed
        self.since = since
    }
}

extension ServerMessage {
    /// Answers `connect`.
    public static func connected(re id: UInt64, _ welcome: Welcome, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"session":"#)
        output.appendJSONString(welcome.session)
        output.append(member: "user", string: welcome.user.name)
        output.append(member: "time", time: welcome.time)
        output.append(member: "tokenExpiresAt", time: welcome.tokenExpiresAt)
        output.append(member: "tokenTtlMs", integer: welcome.tokenExpiresAt.milliseconds(since: welcome.time))
        output.append(contentsOf: welcome.terms.text)
        output.appendText(#","channels":["#)
        output.append(list: welcome.channels) { place, output in output.append(place: place) }
        output.appendText("]")
        if welcome.more { output.append(member: "more", bool: true) }
        if !welcome.refused.isEmpty {
            output.appendText(#","refused":["#)
            output.append(list: welcome.refused) { refused, output in
                output.appendText(#"{"channel":"#)
                output.appendJSONString(refused.channel)
                output.append(member: "code", string: refused.code.rawValue)
                output.append(UInt8(ascii: "}"))
            }
            output.append(UInt8(ascii: "]"))
        }
        output.appendText("}}")
    }

    /// Answers `refresh`.
    public static func refreshed(re id: UInt64, tokenExpiresAt: Timestamp, now: Timestamp, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"tokenExpiresAt":""#)
        tokenExpiresAt.writeRFC3339(into: &output)
        output.appendText(#"","tokenTtlMs":"#)
        output.appendInteger(tokenExpiresAt.milliseconds(since: now))
        output.appendText("}}")
    }

    /// Answers `subscribe` (with `since`) and `open`.
    public static func channelState(re id: UInt64, _ place: ChannelPlace, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":"#)
        output.append(place: place)
        output.append(UInt8(ascii: "}"))
    }

    /// Answers `unsubscribe`.
    public static func unsubscribed(re id: UInt64, _ channel: Channel, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.appendText("}}")
    }

    /// Answers `ack`.
    public static func acknowledged(re id: UInt64, _ channel: Channel, delivered: Seq, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.appendText(#","delivered":"#)
        output.appendInteger(delivered.rawValue)
        output.appendText("}}")
    }

    /// Answers `mark-seen`, `mark-read` and `mark-unread`.
    public static func marked(re id: UInt64, _ state: ChannelState, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: state.channel)
        output.append(cursor: state.cursor)
        output.append(counters: state.counters)
        output.append(member: "version", integer: state.version)
        output.appendText("}}")
    }

    /// Answers `send`.
    public static func sent(re id: UInt64, in channel: Channel, _ stored: StoredDraft, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.append(member: "seq", integer: stored.seq.rawValue)
        output.append(member: "createdAt", time: stored.createdAt)
        output.append(member: "duplicate", bool: stored.duplicate)
        output.appendText("}}")
    }

    /// Answers `conversations`.
    public static func conversations(re id: UInt64, _ places: [ChannelPlace], more: Bool, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"channels":["#)
        output.append(list: places) { place, output in output.append(place: place) }
        output.append(UInt8(ascii: "]"))
        output.append(member: "more", bool: more)
        output.appendText("}}")
    }

    /// Answers `history`; `entries` ascending.
    public static func history(
        re id: UInt64, _ channel: Channel, _ entries: [Entry], head: Seq, more: Bool, into output: inout [UInt8]
    ) {
        output.begin(replyTo: id, about: channel)
        output.appendText(#","entries":["#)
        output.append(list: entries) { entry, output in ServerMessage.entry(entry, into: &output) }
        output.append(UInt8(ascii: "]"))
        output.append(member: "head", integer: head.rawValue)
        output.append(member: "more", bool: more)
        output.appendText("}}")
    }

    /// Answers `typing`.
    public static func done(re id: UInt64, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{}}"#)
    }

    /// Answers `ping`.
    public static func time(re id: UInt64, _ now: Timestamp, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"time":""#)
        now.writeRFC3339(into: &output)
        output.appendText(#""}}"#)
    }

    /// Answers any command that was refused; `"re":null` when its id could not be read.
    /// - Parameter retryAfterMs: only for temporary errors.
    public static func error(
        re id: UInt64?, _ code: ErrorCode, _ message: String, retryAfterMs: UInt64? = nil, into output: inout [UInt8]
    ) {
        output.appendText(#"{"re":"#)
        if let id { output.appendInteger(id) } else { output.appendText("null") }
        output.appendText(#","error":{"code":""#)
        output.appendText(code.rawValue)
        output.appendText(#"","message":"#)
        output.appendJSONString(message)
        output.append(member: "temporary", bool: code.isTemporary)
        if let retryAfterMs, code.isTemporary { output.append(member: "retryAfterMs", integer: retryAfterMs) }
        output.appendText("}}")
    }

    public static func error(_ rejection: CommandRejection, into output: inout [UInt8]) {
        error(re: rejection.id, rejection.code, rejection.message, into: &output)
    }
}

extension Timestamp {
    /// Never negative.
    fileprivate func milliseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? (self > earlier ? .max : 0) : max(difference, 0)
    }
}
