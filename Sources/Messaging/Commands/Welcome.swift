internal import JSON

/// The content of the reply to `connect`. More than twelve stored properties: one for each member.
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

    /// The members that are equal for all sessions, encoded once.
    public struct Terms: Equatable, Sendable {
        let text: [UInt8]

        /// - Parameter node: the hub's name among the hubs on its database.
        public init(pingIntervalMs: UInt64, limits: Limits, features: [String], node: String? = nil) {
            var output: [UInt8] = []
            output.append(member: "node", string: node)
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
    /// The history of the store to which all numbers of the session belong.
    public var epoch: Epoch?
    public var terms: Terms
    public var channels: [ListedChannel]
    /// The sum over the followed channels.
    public var totals: Counters
    /// The user has more channels than `channels` lists.
    public var more: Bool
    /// The channels of `connect` that the session cannot follow, each with the reason.
    public var refused: [RefusedChannel]
    /// The secret by which later HTTP requests name the session; nil when the session belongs to one WebSocket.
    public var credential: String?
    /// The features that are not on for the user.
    public var switched: [Switch]
    /// Where the session begins in all its channels, for its first stream or poll; nil when the session belongs to one WebSocket.
    public var position: String?

    public struct RefusedChannel: Equatable, Sendable {
        public var channel: String
        public var code: ErrorCode
        public init(channel: String, code: ErrorCode) {
            self.channel = channel
            self.code = code
        }
    }

    public init(
        session: String, user: UserID, time: Timestamp, tokenExpiresAt: Timestamp, epoch: Epoch? = nil, terms: Terms,
        channels: [ListedChannel], totals: Counters = Counters(), more: Bool = false, refused: [RefusedChannel] = [],
        switched: [Switch] = [], credential: String? = nil, position: String? = nil
    ) {
        self.switched = switched
        self.session = session
        self.user = user
        self.time = time
        self.tokenExpiresAt = tokenExpiresAt
        self.epoch = epoch
        self.terms = terms
        self.channels = channels
        self.totals = totals
        self.more = more
        self.refused = refused
        self.credential = credential
        self.position = position
    }
}

extension ServerMessage {
    /// Answers `connect`.
    public static func connected(re id: UInt64, _ welcome: Welcome, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"session":"#)
        output.appendJSONString(welcome.session)
        output.append(member: "credential", string: welcome.credential)
        output.append(member: "position", string: welcome.position)
        output.append(member: "user", string: welcome.user.name)
        output.append(member: "time", time: welcome.time)
        output.append(member: "tokenExpiresAt", time: welcome.tokenExpiresAt)
        output.append(member: "tokenTtlMs", integer: welcome.tokenExpiresAt.milliseconds(since: welcome.time))
        output.append(member: "epoch", string: welcome.epoch?.text)
        output.append(contentsOf: welcome.terms.text)
        if !welcome.switched.isEmpty { output.append(switched: welcome.switched) }
        output.append(totals: welcome.totals)
        output.appendText(#","channels":["#)
        output.append(list: welcome.channels) { channel, output in output.append(channel) }
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
}
