internal import JSON

extension ClientCommand {
    public struct Connect: Equatable, Sendable {
        /// The token or ticket; nil for the token of the handshake.
        public let proof: IdentityProof?
        public let subscriptions: [SubscriptionRequest]
        /// Names of features without which the client cannot work.
        public let requires: [String]
    }
}

extension ClientCommand.Connect: Command {
    static let name = "connect"
    static let summary = "Opens the session, and follows the named channels."
    static let schema = CommandSchema(
        optional: [
            .token: CommandSchema.token, .ticket: CommandSchema.ticket, .channels: ["type": "array", "items": CommandSchema.subscription],
            .epoch: CommandSchema.epoch,
            .requires: [
                "description": "Features without which the client cannot work.", "type": "array", "items": ["type": "string"],
            ],
        ])

    var listed: ClientCommand.Body { .connect(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        proof = try members.optionalProof(in: bytes)
        requires = try Self.requires(members, in: bytes)
        guard let list = members[.channels] else {
            subscriptions = []
            return
        }
        guard list.kind == .array else { throw .badRequest(.channels, #"an array of {"channel", "since"}"#) }
        let epoch = try members.epoch(in: bytes)
        var requests: [SubscriptionRequest] = []
        try members.elements(of: list, in: bytes) { element throws(CommandFault) in
            guard element.kind == .object else { throw .badRequest(.channels, #"an array of {"channel", "since"}"#) }
            var request = CommandMembers()
            try request.read(element.range, of: bytes)
            requests.append(try SubscriptionRequest(request, in: bytes, epoch: epoch))
        }
        subscriptions = requests
    }

    private static func requires(_ members: CommandMembers, in bytes: Span<UInt8>) throws(CommandFault) -> [String] {
        guard let list = members[.requires] else { return [] }
        guard list.kind == .array else { throw .badRequest(.requires, "an array of names") }
        var names: [String] = []
        try members.elements(of: list, in: bytes) { element throws(CommandFault) in
            guard let name = element.string(in: bytes) else { throw .badRequest(.requires, "an array of names") }
            names.append(name)
        }
        return names
    }

    /// The rule of `connect` takes little but the phase, because it runs before the session has an identity.
    func judge(in phase: Session.Phase, _ limits: Session.Limits) throws(Refusal) -> Session.Action {
        guard phase == .greeting else { throw Refusal(.alreadyConnected, "connect was already sent on this connection") }
        for name in requires where Feature(rawValue: name).map(limits.has) != true {
            throw Refusal(.unsupported, "requires: this hub does not have \(name.shortened)")
        }
        return .connect(proof, subscriptions)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        try judge(in: session.phase, context.limits)
    }
}
