internal import JSON

extension ClientCommand {
    /// Parses a text message: one command per line. Each line is judged alone, in order; blank lines are passed over.
    ///
    /// A message without any command, and the first line beyond `limits.commandsPerMessage`, give one rejection without an id.
    /// - Parameter acknowledge: is offered an ack before it becomes a command; what it answers false to is delivered.
    public static func parse(
        _ message: Span<UInt8>, limits: CommandLimits, acknowledge: (PlainAck) -> Bool = { _ in false },
        _ deliver: (Result<ClientCommand, CommandRejection>) -> Void
    ) {
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
                    deliver(
                        .failure(CommandRejection(id: nil, .limitExceeded, "a message holds at most \(limits.commandsPerMessage) commands"))
                    )
                    return
                }
                count += 1
                if !isPlain || members.plainAck(in: message).map(acknowledge) != true {
                    deliver(command(members, isRead: isPlain, line: first..<end, of: message, limits))
                }
            }
            start = end + 1
        }
        if count == 0 { deliver(.failure(CommandRejection(id: nil, .badJSON, "the message is empty"))) }
    }

    /// The results of `parse` in an array.
    public static func parse(_ message: [UInt8], limits: CommandLimits) -> [Result<ClientCommand, CommandRejection>] {
        var results: [Result<ClientCommand, CommandRejection>] = []
        parse(message.span, limits: limits) { results.append($0) }
        return results
    }

    /// - Parameter isRead: `members` are those of the line.
    private static func command(
        _ members: consuming CommandMembers, isRead: Bool, line: Range<Int>, of bytes: Span<UInt8>, _ limits: CommandLimits
    ) -> Result<ClientCommand, CommandRejection> {
        do throws(CommandFault) {
            if !isRead {
                members = CommandMembers()
                try members.read(line, of: bytes)
            }
            return .success(try members.command(in: bytes, limits))
        } catch {
            return .failure(CommandRejection(id: members.id(in: bytes), error.code, error.message))
        }
    }
}

/// An ack whose line is all plain, before anything is made of it.
public struct PlainAck: Equatable, Sendable {
    public let id: UInt64?
    /// Where the channel's name stands in the message.
    public let channel: Range<Int>
    public let seq: Seq
}

private let newline = UInt8(ascii: "\n")
/// What is longer is seldom plain to its end, and would be read twice.
private let plainBytes = 256
private let blockBytes = 32

/// Where the next line end stands, or the message ends, in blocks of constant size that the compiler turns into vectors.
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

/// A rejection whose id is not known yet.
struct CommandFault: Error {
    let code: ErrorCode
    let message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    static func badRequest(_ member: CommandMember, _ expected: String) -> CommandFault {
        CommandFault(.badRequest, "\(member.name): expected \(expected)")
    }
}

/// Every member of any command, named as on the wire; others are ignored. The raw value is its place in `CommandMembers`.
enum CommandMember: Int, CaseIterable {
    case id, type, channel, seq, seqs, upTo, all, since, token, channels, with, to, context, key, body, replyTo, data, after, before, limit

    var name: String { String(describing: self) }

    private static let words = allCases.map { JSONSlice.word($0.name) }

    static func place(of name: JSONSlice, in bytes: Span<UInt8>) -> Int? {
        var word = name.word(in: bytes)
        // An escaped name is as good as a plain one (RFC 8259 §8.3).
        if name.hasEscapes, let text = name.string(in: bytes) { word = JSONSlice.word(text) }
        return words.firstIndex(of: word)
    }

    /// Before it is looked for, nothing is: names are compared as numbers.
    static let plainWords = allCases.map { PlainObject.word($0.name) }
}

/// The members of one line, found but not yet judged: reading goes to the end of the line first, so that a rejection can name the id.
struct CommandMembers {
    private var slices: InlineArray<20, JSONSlice?> = InlineArray(repeating: nil)

    static let limits = JSONLimits(maximumDepth: 32, refusesNUL: true)

    /// As `read`, but only of an object that is plain: the place behind it. Nil for any other, of which nothing is known then.
    mutating func readPlain(from start: Int, of bytes: Span<UInt8>) -> Int? {
        let words = CommandMember.plainWords.span
        return PlainObject.scan(from: start, of: bytes) { name, value in
            for place in words.indices where words[place] == name {
                // What is named twice is refused with the place where it is.
                guard slices[place] == nil else { return false }
                slices[place] = value
                return true
            }
            return true
        }
    }

    /// Nil when this is no ack, or one with a fault.
    func plainAck(in bytes: Span<UInt8>) -> PlainAck? {
        guard let type = slices[CommandMember.type.rawValue], type.word(in: bytes) == Self.ack,
            let channel = slices[CommandMember.channel.rawValue], channel.kind == .string,
            let seq = slices[CommandMember.seq.rawValue]?.unsignedInteger(in: bytes), seq <= ClientCommand.maximumNumber
        else { return nil }
        let id = id(in: bytes)
        guard id != nil || slices[CommandMember.id.rawValue] == nil else { return nil }
        return PlainAck(id: id, channel: channel.range.lowerBound + 1..<channel.range.upperBound - 1, seq: Seq(seq))
    }

    private static let ack = JSONSlice.word("ack")

    /// Checks the whole line and keeps where the known members are.
    mutating func read(_ line: Range<Int>, of bytes: Span<UInt8>) throws(CommandFault) {
        do throws(JSONError) {
            var scanner = JSONScanner(bytes, line, limits: Self.limits)
            guard try scanner.kind(in: bytes) == .object else {
                _ = try scanner.value(in: bytes)
                try scanner.finish(in: bytes)
                throw JSONError(.unexpectedByte, at: line.lowerBound)
            }
            var more = try scanner.enterObject(in: bytes)
            while more {
                let name = try scanner.name(in: bytes)
                let place = CommandMember.place(of: name, in: bytes)
                let value = try scanner.value(in: bytes)
                if let place {
                    guard slices[place] == nil else { throw JSONError(.duplicateMember, at: name.range.lowerBound) }
                    slices[place] = value
                }
                more = try scanner.another(in: .object, bytes)
            }
            try scanner.finish(in: bytes)
        } catch {
            let place = JSONError(error.reason, at: error.offset - line.lowerBound)
            throw CommandFault(.badJSON, "a command is one JSON object on one line: \(place)")
        }
    }

    /// The id when there is a good one, whatever else is wrong.
    func id(in bytes: Span<UInt8>) -> UInt64? {
        guard let id = self[.id]?.unsignedInteger(in: bytes), id <= ClientCommand.maximumNumber else { return nil }
        return id
    }

    /// A member's value; nil when it is missing or null.
    subscript(_ member: CommandMember) -> JSONSlice? {
        guard let slice = slices[member.rawValue], slice.kind != .null else { return nil }
        return slice
    }
}
