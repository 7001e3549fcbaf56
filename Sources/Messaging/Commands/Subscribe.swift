extension ClientCommand {
    public struct Subscribe: Equatable, Sendable {
        public let request: SubscriptionRequest
    }
}

/// A channel to follow, and the client's position in it.
public struct SubscriptionRequest: Equatable, Sendable {
    /// The name from the command. The session checks whether it names a channel.
    public let channel: String
    /// The newest entry the client has; nil starts at the head.
    public let since: Seq?

    public init(channel: String, since: Seq? = nil) {
        self.channel = channel
        self.since = since
    }

    init(_ members: CommandMembers, in bytes: Span<UInt8>) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        since = try members.optionalPosition(.since, in: bytes)
    }
}

extension ClientCommand.Subscribe: Command {
    static let name = "subscribe"
    static let summary =
        "Follows a channel from a position or from its newest entry on. With an earlier position the entries are sent again."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel], optional: [.since: CommandSchema.position])

    var listed: ClientCommand.Body { .subscribe(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        request = try SubscriptionRequest(members, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.channel(request.channel, of: context.user)
        if let index = session.subscription(to: channel) { return .restate(index, rewind: request.since) }
        guard session.subscriptions.count < context.limits.subscriptions else {
            let most = context.limits.subscriptions
            throw Refusal(.limitExceeded, "a session may follow \(most) channels; unsubscribe from one first")
        }
        return .subscribe(channel, since: request.since)
    }
}
