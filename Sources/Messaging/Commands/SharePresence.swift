internal import JSON

extension ClientCommand {
    public struct SharePresence: Equatable, Sendable {
        /// nil: the session does not share.
        public let presence: Presence?
    }
}

extension ClientCommand.SharePresence: Command {
    static let name = "presence"
    static let summary = "Shares whether the user is there with the members of common conversations, and tells who of them is."
    static let schema = CommandSchema(
        required: [
            .state: [
                "description": "off: shares nothing, and is told nothing.", "type": "string", "enum": ["online", "away", "off"],
            ]
        ])

    var listed: ClientCommand.Body { .presence(self) }

    init(_ members: CommandMembers, in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) {
        switch try members.text(.state, in: bytes) {
        case "online": presence = .online
        case "away": presence = .away
        case "off": presence = nil
        default: throw .badRequest(.state, "online, away or off")
        }
    }

    func judge(in session: inout Session, _ context: CommandContext, _ position: Session.Position) throws(Refusal) -> Session.Action {
        guard context.limits.sharesPresence else { throw Refusal(.unsupported, "this hub does not tell who is there") }
        return .sharePresence(presence)
    }
}

extension ServerMessage {
    /// Answers `presence`.
    public static func presence(re id: UInt64, _ users: [(user: UserID, shown: ShownPresence)], into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{"users":["#)
        output.append(list: users) { line, output in
            output.appendText(#"{"user":"#)
            output.appendJSONString(line.user.name)
            output.append(line.shown)
            output.append(UInt8(ascii: "}"))
        }
        output.appendText("]}}")
    }
}

extension [UInt8] {
    mutating func append(_ shown: ShownPresence) {
        append(member: "state", string: shown.name)
        if case .offline(let lastSeen?) = shown { append(member: "lastSeen", time: lastSeen) }
    }
}
