/// One kind of command, in a file of its own: how it is read, its rule, its reply, its JSON Schema and its row in the documents.
/// `CommandList.swift` lists them all; docs/how-to/add-a-command.md tells how to add one.
protocol Command: Equatable, Sendable {
    /// The `type` on the wire: at most 16 bytes.
    static var name: String { get }
    /// What the command is for, in one sentence: its row in docs/reference/protocol.md.
    static var summary: String { get }
    static var schema: CommandSchema { get }

    /// Reads the command's members from a line, and throws what is wrong with them.
    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault)

    /// The command as a case of the list.
    var listed: ClientCommand.Body { get }

    /// The rule: what has to be done for the command, or why it is refused. Asked only after `connect` was answered with success.
    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action

    /// A requirement with one implementation: so the compiler makes a version for each command, and reading one allocates nothing.
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

/// What a rule may look at beside the session.
struct CommandContext {
    let user: UserID
    let now: Timestamp
    let limits: Session.Limits
}
