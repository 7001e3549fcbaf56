internal import JSON

extension ClientCommand {
    /// The client has received every entry of the channel up to `seq`.
    public struct Ack: Equatable, Sendable {
        public let channel: String
        public let seq: Seq
    }
}

extension ClientCommand.Ack: Command {
    static let name = "ack"
    static let summary = "Confirms that the device has safely stored all entries of a channel up to `seq`."
    static let schema = CommandSchema(required: [.channel: CommandSchema.channel, .seq: CommandSchema.position])

    var listed: ClientCommand.Body { .ack(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        channel = try members.channel(in: bytes)
        seq = try members.position(.seq, in: bytes)
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        try judge(in: session, of: context.user, position)
    }

    fileprivate func judge(in session: borrowing Session, of user: UserID, _ position: Session.Position) throws(Refusal) -> Session.Action {
        let channel = try session.sent(channel, of: user, upTo: seq, position)
        return .store(.move(user, channel, .delivered(seq), session: session.id), .ack)
    }

    static func answer(_ reply: StoreReply, re id: UInt64?, into output: inout [UInt8]) -> Session.Answer? {
        guard case .moved(let moved, _) = reply else { return nil }
        if let id {
            ServerMessage.acknowledged(re: id, moved.state.channel, delivered: moved.state.cursor.delivered, into: &output)
        }
        return .told
    }
}

extension ServerMessage {
    /// Answers `ack`.
    public static func acknowledged(re id: UInt64, _ channel: Channel, delivered: Seq, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: channel)
        output.appendText(#","delivered":"#)
        output.appendInteger(delivered.rawValue)
        output.appendText("}}")
    }
}

// MARK: Fast path

/// An ack without escapes or white space. It refers to the channel's name in the message, so that parsing allocates nothing. Most commands
/// are such acks.
public struct PlainAck: Equatable, Sendable {
    public let id: UInt64?
    /// The range of the channel's name in the message.
    let channel: Range<Int>
    let seq: Seq

    func command(in message: Span<UInt8>) -> ClientCommand.Ack {
        let quoted = JSONSlice(kind: .string, range: channel.lowerBound - 1..<channel.upperBound + 1, hasEscapes: false)
        return ClientCommand.Ack(channel: quoted.string(in: message) ?? "", seq: seq)
    }
}

extension CommandMembers {
    /// The line as a plain ack; nil when it is another command or has a fault.
    func plainAck(in bytes: Span<UInt8>) -> PlainAck? {
        guard let type = self[raw: .type], type.word(in: bytes) == Self.ack, let channel = self[raw: .channel], channel.kind == .string,
            let seq = self[raw: .seq]?.unsignedInteger(in: bytes), seq <= CommandLimits.maximumNumber
        else { return nil }
        let id = id(in: bytes)
        guard id != nil || self[raw: .id] == nil else { return nil }
        return PlainAck(id: id, channel: channel.range.lowerBound + 1..<channel.range.upperBound - 1, seq: Seq(seq))
    }

    private static let ack = JSONSlice.word(ClientCommand.Ack.name)
}

extension Session {
    /// Judges a plain ack as `receive` judges other commands. It allocates nothing when the ack is valid and spells the channel's name as
    /// the subscription does.
    /// - Parameter message: the message that the ack was parsed from.
    public func receive(_ ack: PlainAck, in message: Span<UInt8>, position: (Subscription) -> Seq?) -> Action {
        if phase == .open, let user = identity?.user {
            let name = message.extracting(ack.channel)
            for index in subscriptions.indices where subscriptions[index].channel.isNamed(onTheWire: name) {
                guard let newest = position(subscriptions[index]), ack.seq <= newest else { break }
                return .store(.move(user, subscriptions[index].channel, .delivered(ack.seq), session: id), .ack)
            }
        }
        do throws(Refusal) {
            return try ack.command(in: message).judge(in: self, of: try connectedUser(), position)
        } catch {
            return .refuse(error)
        }
    }
}
