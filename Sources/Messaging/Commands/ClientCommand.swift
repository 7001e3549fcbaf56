/// A client's command: one line of a text message. `Body`, in `CommandList.swift`, lists the commands.
public struct ClientCommand: Equatable, Sendable {
    /// The client's number for the reply; nil when the client wants no reply.
    public let id: UInt64?
    public let body: Body

    public init(id: UInt64?, body: Body) {
        self.id = id
        self.body = body
    }

    /// Every `type` on the wire.
    public static var names: [String] { types.map { $0.name } }
}

/// The parser's result for one line of a text message.
public enum ParsedLine: Equatable, Sendable {
    /// An ack that refers to the channel's name in the message. `Session.receive` judges it without an allocation.
    case plainAck(PlainAck)
    case command(ClientCommand)
    case rejected(CommandRejection)

    /// Whether the line counts as activity of the user.
    public var isSignOfUser: Bool {
        switch self {
        case .plainAck: true
        case .command(let command): command.isSignOfUser
        case .rejected: false
        }
    }

    /// The line as a command or a rejection.
    /// - Parameter message: the parsed message.
    public func result(in message: Span<UInt8>) -> Result<ClientCommand, CommandRejection> {
        switch self {
        case .plainAck(let ack): .success(ClientCommand(id: ack.id, body: .ack(ack.command(in: message))))
        case .command(let command): .success(command)
        case .rejected(let rejection): .failure(rejection)
        }
    }
}
