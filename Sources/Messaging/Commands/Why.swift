internal import JSON

extension ClientCommand {
    /// Asks why the user has an entry.
    public struct Why: Equatable, Sendable {
        public let channel: String
        public let seq: Seq

        public init(channel: String, seq: Seq) {
            self.channel = channel
            self.seq = seq
        }
    }
}

extension ClientCommand.Why: Command {
    static let name = "why"
    static let summary = "Tells in plain words why the user has an entry, and the event type by which it can be muted."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel, .seq: CommandSchema.seq])

    var listed: ClientCommand.Body { .why(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        seq = try members.entry(.seq, in: bytes)
    }

    /// As `history`: reads a granted channel at once; for any other one the store checks the user's right first.
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.channel(channel, of: context.user)
        if let subscription = session.following(channel), position(subscription) != nil {
            return .store(Self.request(of: seq, in: channel), .why(channel, seq))
        }
        let isEntitled = session.identity?.isEntitled(to: channel) ?? false
        return .store(.state(context.user, channel, entitled: isEntitled), .whyRight(seq))
    }

    private static func request(of seq: Seq, in channel: Channel) -> StoreRequest {
        .page(channel, after: Seq(seq.rawValue - 1), before: nil, limit: 1)
    }

    /// Requests the entry after the store has confirmed the right to read the channel.
    static func goOn(_ reply: StoreReply, to seq: Seq) -> Session.Answer? {
        guard case .state(let state) = reply else { return nil }
        return .store(request(of: seq, in: state.channel), .why(state.channel, seq))
    }

    static func answer(
        _ reply: StoreReply, about seq: Seq, in channel: Channel, of session: borrowing Session, re id: UInt64?,
        into output: inout [UInt8]
    ) -> Session.Answer? {
        guard case .page(let entries, _, _) = reply else { return nil }
        guard let entry = entries.first, entry.seq == seq else {
            return .refuse(Refusal(.badRequest, "seq: the channel has no such entry, or has removed it because of its age"))
        }
        if let id { ServerMessage.why(re: id, entry, for: session.identity?.user, into: &output) }
        return .told
    }
}

/// Why a user has an entry, as far as the entry tells.
enum EntryReason: Equatable {
    /// The user wrote it.
    case you
    /// Another member of the conversation wrote it.
    case person(UserID)
    /// The user had blocked the one who wrote it.
    case hidden
    /// It tells of a change of another entry.
    case change
    /// A rule over changes of the platform's tables.
    case rule(String)
    case service

    init(_ entry: Entry, for reader: UserID?) {
        if entry.isHidden(from: reader) {
            self = .hidden
        } else if entry.draft.kind.isChange {
            self = .change
        } else if let sender = entry.draft.sender {
            self = sender == reader ? .you : .person(sender)
        } else if entry.draft.source.hasPrefix(Self.ruleSource) {
            self = .rule(String(entry.draft.source.dropFirst(Self.ruleSource.count)))
        } else {
            self = .service
        }
    }

    private static let ruleSource = "rule:"

    /// One of a fixed set.
    var name: String {
        switch self {
        case .you: "you"
        case .person: "person"
        case .hidden: "hidden"
        case .change: "change"
        case .rule: "rule"
        case .service: "service"
        }
    }

    func english(in channel: Channel) -> String {
        switch self {
        case .you: "You wrote it."
        case .person(let sender): "\(sender.name) wrote it in a conversation of which you are a member."
        case .hidden: "It stands for a message of a person whom you have blocked."
        case .change: "It tells that another entry, which you have, was changed or taken back."
        case .rule(let name): "Something changed in the platform, and the rule “\(name)” sent this \(Self.englishTarget(channel))."
        case .service: "A service of the platform sent this \(Self.englishTarget(channel))."
        }
    }

    func french(in channel: Channel) -> String {
        switch self {
        case .you: "Vous l’avez écrite."
        case .person(let sender): "\(sender.name) l’a écrite dans une conversation dont vous êtes membre."
        case .hidden: "Elle remplace un message d’une personne que vous avez bloquée."
        case .change: "Elle indique qu’une autre entrée, que vous avez, a été modifiée ou retirée."
        case .rule(let name):
            "Quelque chose a changé sur la plateforme, et la règle « \(name) » l’a envoyée \(Self.frenchTarget(channel))."
        case .service: "Un service de la plateforme l’a envoyée \(Self.frenchTarget(channel))."
        }
    }

    private static func englishTarget(_ channel: Channel) -> String {
        switch channel {
        case .inbox: "to you personally"
        case .broadcast(let name): "to everybody who may follow “\(name)”"
        case .conversation: "to the members of a conversation, and you are one of them"
        }
    }

    private static func frenchTarget(_ channel: Channel) -> String {
        switch channel {
        case .inbox: "à vous personnellement"
        case .broadcast(let name): "à toutes les personnes qui peuvent suivre « \(name) »"
        case .conversation: "aux membres d’une conversation dont vous faites partie"
        }
    }
}

extension ServerMessage {
    /// Answers `why`. Of a hidden entry nothing is told but that it is hidden.
    static func why(re id: UInt64, _ entry: Entry, for reader: UserID?, into output: inout [UInt8]) {
        let reason = EntryReason(entry, for: reader)
        output.begin(replyTo: id, about: entry.channel)
        output.append(member: "seq", integer: entry.seq.rawValue)
        output.append(member: "event", string: reason == .hidden ? "hidden" : entry.draft.eventType)
        output.append(member: "by", string: reason.name)
        if case .rule(let name) = reason { output.append(member: "rule", string: name) }
        output.appendText(#","reason":{"fr":"#)
        output.appendJSONString(reason.french(in: entry.channel))
        output.append(member: "en", string: reason.english(in: entry.channel))
        output.appendText("}")
        if reason != .hidden, entry.draft.kind == .notification { output.append(member: "mute", string: entry.draft.eventType) }
        output.appendText("}}")
    }
}
