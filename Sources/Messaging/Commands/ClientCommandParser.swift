internal import JSON

extension ClientCommand {
    /// Parses a text message with one command per line. A faulty line does not affect the others; blank lines are skipped.
    ///
    /// A message without a command gives one rejection without an id, and so does the first line beyond `limits.commandsPerMessage`.
    public static func parse(_ message: Span<UInt8>, limits: CommandLimits, _ deliver: (ParsedLine) -> Void) {
        var count = 0
        var start = 0
        while start < message.count {
            var first = start
            while first < message.count, message[first].isBlank { first += 1 }
            var members = CommandMembers()
            var end = message.count - first <= plainBytes ? members.readPlain(from: first, of: message) ?? first : first
            let isPlain = end > first && (end == message.count || message[end] == newline)
            if !isPlain { end = lineEnd(message, from: first) }
            if first < end {
                guard count < limits.commandsPerMessage else {
                    let most = "a message holds at most \(limits.commandsPerMessage) commands"
                    deliver(.rejected(CommandRejection(id: nil, .limitExceeded, most)))
                    return
                }
                count += 1
                if isPlain, let ack = members.plainAck(in: message) {
                    deliver(.plainAck(ack))
                } else {
                    deliver(command(members, isRead: isPlain, line: first..<end, of: message, limits))
                }
            }
            start = end + 1
        }
        if count == 0 { deliver(.rejected(CommandRejection(id: nil, .badJSON, "the message is empty"))) }
    }

    /// The commands and rejections of a message in an array.
    public static func parse(_ message: [UInt8], limits: CommandLimits) -> [Result<ClientCommand, CommandRejection>] {
        var results: [Result<ClientCommand, CommandRejection>] = []
        parse(message.span, limits: limits) { results.append($0.result(in: message.span)) }
        return results
    }

    /// - Parameter isRead: true when `members` already contain the members of the line.
    private static func command(
        _ members: consuming CommandMembers, isRead: Bool, line: Range<Int>, of bytes: Span<UInt8>, _ limits: CommandLimits
    ) -> ParsedLine {
        do throws(CommandFault) {
            if !isRead {
                members = CommandMembers()
                try members.read(line, of: bytes)
            }
            return .command(try members.command(in: bytes, limits))
        } catch {
            return .rejected(CommandRejection(id: members.id(in: bytes), error.code, error.message))
        }
    }

    /// The names as words in the order of `types`, because comparing words is cheaper than comparing strings.
    fileprivate static let words = types.map { JSONSlice.word($0.name) }
}

extension CommandMembers {
    fileprivate func command(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> ClientCommand {
        if self[.id] != nil, id(in: bytes) == nil { throw .badRequest(.id, "an integer 0…2^53-1") }
        return ClientCommand(id: id(in: bytes), body: try type(in: bytes).read(self, in: bytes, limits))
    }

    private func type(in bytes: Span<UInt8>) throws(CommandFault) -> any Command.Type {
        if let slice = self[.type], let index = ClientCommand.words.firstIndex(of: slice.word(in: bytes)) {
            return ClientCommand.types[index]
        }
        let name = try text(.type, in: bytes)
        guard let type = ClientCommand.types.first(where: { $0.name == name }) else {
            throw CommandFault(.unknownType, "type: \(name.shortened) is not one of \(ClientCommand.names.joined(separator: ", "))")
        }
        return type
    }
}

private let newline = UInt8(ascii: "\n")
/// The longest rest of a message for which `readPlain` is tried. Longer lines are rarely plain, and reading them twice costs more.
private let plainBytes = 256
private let blockBytes = 32

/// The index of the next line end, or of the message's end. The blocks have a constant size so that the compiler vectorizes the loop.
private func lineEnd(_ message: Span<UInt8>, from start: Int) -> Int {
    var end = start
    while end &+ blockBytes <= message.count {
        let block = message.extracting(end..<(end &+ blockBytes))
        var found: UInt8 = 0
        for index in 0..<blockBytes { found |= block[index] == newline ? 1 : 0 }
        guard found == 0 else { break }
        end &+= blockBytes
    }
    while end < message.count, message[end] != newline { end &+= 1 }
    return end
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D }
}
