/// One kind of command. Its file contains its parser, rule, reply, JSON Schema and row in the documents.
/// `CommandList.swift` lists the commands; docs/how-to/add-a-command.md explains how to add one.
protocol Command: Equatable, Sendable {
    /// The `type` on the wire: at most 16 bytes.
    static var name: String { get }
    /// The command's purpose in one sentence, for its row in docs/reference/protocol.md.
    static var summary: String { get }
    static var schema: CommandSchema { get }

    /// Reads the command's members from a line and throws their first fault.
    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault)

    /// The command as a case of the list.
    var listed: ClientCommand.Body { get }

    /// Applies the rule: returns the driver's action or throws a refusal. The session calls it only after `connect` has succeeded.
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action

    /// Reads a command. It is a requirement so that the compiler specializes it for each command; reading then allocates nothing.
    static func read(
        _ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits
    ) throws(CommandFault) -> ClientCommand.Body
}

extension Command {
    static func read(
        _ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits
    ) throws(CommandFault) -> ClientCommand.Body {
        try Self(members, in: bytes, limits).listed
    }
}

/// The values that a rule may use in addition to the session.
struct CommandContext {
    let user: UserID
    let now: Timestamp
    let epoch: Epoch?
    let limits: Session.Limits
}
