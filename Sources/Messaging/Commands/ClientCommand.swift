/// What a client asks for: one line of a text message. `Body`, in `CommandList.swift`, lists the commands.
public struct ClientCommand: Equatable, Sendable {
    /// The client's number for the reply; without it there is no reply.
    public let id: UInt64?
    public let body: Body

    public init(id: UInt64?, body: Body) {
        self.id = id
        self.body = body
    }

    /// Every `type` on the wire.
    public static var names: [String] { types.map { $0.name } }
}

/// One line of a text message, as the parser found it.
public enum ParsedLine: Equatable, Sendable {
    /// An ack whose channel's name is still in the message. `Session.receive` judges it without allocating anything.
    case plainAck(PlainAck)
    case command(ClientCommand)
    case rejected(CommandRejection)

    /// Whether the line shows that the user is there.
    public var isSignOfUser: Bool {
        switch self {
        case .plainAck: true
        case .command(let command): command.isSignOfUser
        case .rejected: false
        }
    }

    /// The line as a command or a rejection.
    /// - Parameter message: the parsed message.
    func result(in message: Span<UInt8>) -> Result<ClientCommand, CommandRejection> {
        switch self {
        case .plainAck(let ack): .success(ClientCommand(id: ack.id, body: .ack(ack.command(in: message))))
        case .command(let command): .success(command)
        case .rejected(let rejection): .failure(rejection)
        }
    }
}
