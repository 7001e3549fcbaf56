extension ClientCommand {
    public struct Subscribe: Equatable, Sendable {
        public let request: SubscriptionRequest
    }
}

/// Where a subscription begins.
public enum SubscriptionStart: Equatable, Sendable {
    /// Behind the newest entry.
    case head
    /// Behind the newest entry that the client has.
    case since(Seq)
    /// Before this many of the newest entries.
    case tail(UInt64)

    /// The position before the first entry to be sent; nil for the head.
    /// - Parameter first: the oldest entry that there is.
    public func position(head: Seq, first: Seq = Seq(1)) -> Seq? {
        switch self {
        case .head: nil
        case .since(let seq): seq
        case .tail(let count): max(Seq(head.rawValue - min(count, head.rawValue)), Seq(first.rawValue - 1))
        }
    }
}

extension ChannelState {
    /// Why the channel cannot be followed from this position; nil: it can.
    public func refusal(of since: Seq) -> Refusal? {
        if since > head { return Refusal(.positionUnknown, "since: \(since.rawValue) is beyond the newest entry, \(head.rawValue)") }
        guard since.next < first else { return nil }
        return Refusal(.positionTooOld, "since: \(since.rawValue) is before the oldest entry, \(first.rawValue)")
    }
}

/// A channel to follow, and the client's position in it.
public struct SubscriptionRequest: Equatable, Sendable {
    /// The name from the command. The session checks whether it names a channel.
    public let channel: String
    public let start: SubscriptionStart
    /// The epoch in which the client got the position of `start`; nil: the client does not say.
    public let epoch: Epoch?

    public init(channel: String, start: SubscriptionStart = .head, epoch: Epoch? = nil) {
        self.channel = channel
        self.start = start
        self.epoch = epoch
    }

    /// - Parameter epoch: of a `connect`, for its channels that name none.
    init(_ members: CommandMembers, in bytes: Span<UInt8>, epoch: Epoch? = nil) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        guard members[.since] == nil || members[.tail] == nil else {
            throw CommandFault(.badRequest, "since, tail: expected at most one of them")
        }
        if let since = try members.optionalPosition(.since, in: bytes) {
            start = .since(since)
        } else if let tail = try members.optionalPosition(.tail, in: bytes) {
            start = .tail(tail.rawValue)
        } else {
            start = .head
        }
        self.epoch = try members.epoch(in: bytes) ?? epoch
    }

    /// Whether the client's position belongs to another history of the store.
    public func isOutdated(in present: Epoch?) -> Bool {
        if case .since = start { epoch != nil && epoch != present } else { false }
    }

    /// The reason when `isOutdated`.
    public static let outdatedReason = "epoch: the store went back to an earlier state, so positions from before are not known"
}

extension PositionText {
    /// The channels and positions in the form of `connect`, for a client whose session has ended. Nil when the text has another format.
    public static func subscriptions(_ text: String) -> [SubscriptionRequest]? {
        // Every inbox has the same name on the wire, so any user will do here.
        guard let user = UserID("-"), let positions = read(text, for: user) else { return nil }
        return positions.channels.map { SubscriptionRequest(channel: $0.channel.wireName, start: .since($0.seq), epoch: positions.epoch) }
    }
}

extension ClientCommand.Subscribe: Command {
    static let name = "subscribe"
    static let summary =
        "Follows a channel from a position, from its newest entry on, or from some entries before it. With an earlier position the entries are sent again."
    static let schema = CommandSchema(
        required: [.channel: CommandSchema.channel],
        optional: [.since: CommandSchema.position, .tail: CommandSchema.tail, .epoch: CommandSchema.epoch],
        notTogether: [.since, .tail])

    var listed: ClientCommand.Body { .subscribe(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        request = try SubscriptionRequest(members, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.channel(request.channel, of: context.user)
        guard !request.isOutdated(in: context.epoch) else { throw Refusal(.positionUnknown, SubscriptionRequest.outdatedReason) }
        if let index = session.subscription(to: channel) { return .restate(index, request.start) }
        guard session.subscriptions.count < context.limits.subscriptions else {
            let most = context.limits.subscriptions
            throw Refusal(.limitExceeded, "a session may follow \(most) channels; unsubscribe from one first")
        }
        return .subscribe(channel, request.start)
    }
}
