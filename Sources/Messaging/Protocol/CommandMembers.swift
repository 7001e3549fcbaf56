internal import JSON

/// A fault in a line. The rejection adds the id later, because the fault may come before the id.
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

/// The members of all commands, with their names on the wire. The parser ignores other names. The raw value is the member's index in
/// `CommandMembers`.
enum CommandMember: Int, CaseIterable {
    case id, type, channel, seq, seqs, upTo, all, since, token, channels, with, to, context, key, body, replyTo, data, after, before, limit,
        tail, requires, epoch, user, state, ticket

    var name: String { String(describing: self) }

    private static let words = allCases.map { JSONSlice.word($0.name) }

    static func index(of name: JSONSlice, in bytes: Span<UInt8>) -> Int? {
        var word = name.word(in: bytes)
        // RFC 8259 §8.3: an escaped name equals its plain form.
        if name.hasEscapes, let text = name.string(in: bytes) { word = JSONSlice.word(text) }
        return words.firstIndex(of: word)
    }

    /// The names as 64-bit words in the order of the cases, because comparing words is cheaper than comparing texts.
    static let plainWords = allCases.map { PlainObject.word($0.name) }
}

/// The members of one line before validation. The parser reads the whole line first, so that a rejection can contain the id.
///
/// The commands read their members with the functions below. Each function throws a fault that names the member.
struct CommandMembers {
    private var slices: InlineArray<26, JSONSlice?> = InlineArray(repeating: nil)
    /// The number of cases of `CommandMember`. The type of `slices` repeats it, because `InlineArray` needs a literal.
    static let most = 26

    static let limits = JSONLimits(maximumDepth: 32, refusesNUL: true)

    // MARK: Reading a line

    /// Reads an object that `PlainObject` understands and returns the index after it. Returns nil for any other object; the caller then
    /// discards these members and calls `read`.
    mutating func readPlain(from start: Int, of bytes: Span<UInt8>) -> Int? {
        let words = CommandMember.plainWords.span
        return PlainObject.scan(from: start, of: bytes) { name, value in
            for index in words.indices where words[index] == name {
                // `read` rejects the duplicate member and reports its offset.
                guard slices[index] == nil else { return false }
                slices[index] = value
                return true
            }
            return true
        }
    }

    /// Checks the whole line and stores the slices of the known members.
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
                let index = CommandMember.index(of: name, in: bytes)
                let value = try scanner.value(in: bytes)
                if let index {
                    guard slices[index] == nil else { throw JSONError(.duplicateMember, at: name.range.lowerBound) }
                    slices[index] = value
                }
                more = try scanner.another(in: .object, bytes)
            }
            try scanner.finish(in: bytes)
        } catch {
            let inLine = JSONError(error.reason, at: error.offset - line.lowerBound)
            throw CommandFault(.badJSON, "a command is one JSON object on one line: \(inLine)")
        }
    }

    /// The id; nil when it is invalid. The other members may have faults.
    func id(in bytes: Span<UInt8>) -> UInt64? {
        guard let id = self[.id]?.unsignedInteger(in: bytes), id <= CommandLimits.maximumNumber else { return nil }
        return id
    }

    /// A member's value; nil when it is missing or null.
    subscript(_ member: CommandMember) -> JSONSlice? {
        guard let slice = self[raw: member], slice.kind != .null else { return nil }
        return slice
    }

    /// A member's value; nil when it is missing.
    subscript(raw member: CommandMember) -> JSONSlice? { slices[member.rawValue] }

    // MARK: Members by kind

    func text(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> String {
        guard let text = self[member]?.string(in: bytes) else { throw .badRequest(member, "a string") }
        return text
    }

    /// A text that names no epoch is read as one that the store never has.
    func epoch(in bytes: Span<UInt8>) throws(CommandFault) -> Epoch? {
        try optionalText(.epoch, in: bytes).map { Epoch(orUnknown: $0) }
    }

    func optionalText(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> String? {
        self[member] == nil ? nil : try text(member, in: bytes)
    }

    /// Reads what shows who the user is: a token or a ticket.
    func optionalProof(in bytes: Span<UInt8>) throws(CommandFault) -> IdentityProof? {
        let token = try optionalText(.token, in: bytes)
        guard let ticket = try optionalText(.ticket, in: bytes) else { return token.map { .token($0) } }
        guard token == nil else { throw .badRequest(.ticket, "a ticket or a token, not both") }
        return .ticket(ticket)
    }

    /// Reads a position; zero means before the first entry.
    func position(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq {
        guard let slice = self[member], let seq = number(slice, in: bytes) else { throw .badRequest(member, "an integer 0…2^53-1") }
        return seq
    }

    func optionalPosition(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq? {
        self[member] == nil ? nil : try position(member, in: bytes)
    }

    /// Reads the number of an entry, which is at least 1.
    func entry(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq {
        guard let slice = self[member], let seq = number(slice, in: bytes), seq > .zero else {
            throw .badRequest(member, "an integer 1…2^53-1")
        }
        return seq
    }

    // MARK: Members of several commands

    func channel(in bytes: Span<UInt8>) throws(CommandFault) -> String { try text(.channel, in: bytes) }

    func user(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> UserID {
        guard let user = UserID(try text(member, in: bytes)) else {
            throw .badRequest(member, "a user's name of 1…\(UserID.maximumBytes) bytes without control characters")
        }
        return user
    }

    func context(in bytes: Span<UInt8>) throws(CommandFault) -> String? {
        guard let context = try optionalText(.context, in: bytes) else { return nil }
        guard Identifier.isAcceptable(context, maximumBytes: CommandLimits.contextBytes) else {
            throw .badRequest(.context, "a name of 1…\(CommandLimits.contextBytes) bytes without control characters")
        }
        return context
    }

    /// Reads the entry in `seq` or the entries in `seqs`, in ascending order without duplicates.
    func entries(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> [Seq] {
        if self[.seq] != nil { return [try entry(.seq, in: bytes)] }
        guard let list = self[.seqs], list.kind == .array else { throw .badRequest(.seqs, "an array of integers") }
        var seqs: [Seq] = []
        try elements(of: list, in: bytes) { element throws(CommandFault) in
            guard seqs.count < limits.setSize else {
                throw CommandFault(.limitExceeded, "seqs: expected at most \(limits.setSize) numbers")
            }
            guard let seq = number(element, in: bytes), seq > .zero else { throw .badRequest(.seqs, "integers 1…2^53-1") }
            seqs.append(seq)
        }
        guard !seqs.isEmpty else { throw .badRequest(.seqs, "at least one number") }
        seqs.sort()
        var distinct = [seqs[0]]
        for seq in seqs where seq != distinct[distinct.count - 1] { distinct.append(seq) }
        return distinct
    }

    /// Reads `limit`: 1…`limits.historyPage`, and the maximum when it is missing.
    func pageSize(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> Int {
        guard self[.limit] != nil else { return limits.historyPage }
        return Int(min(try entry(.limit, in: bytes).rawValue, UInt64(max(limits.historyPage, 1))))
    }

    func exactlyOne(of members: [CommandMember]) throws(CommandFault) {
        guard members.count(where: { self[$0] != nil }) == 1 else {
            throw CommandFault(.badRequest, "\(members.map(\.name).joined(separator: ", ")): expected exactly one of them")
        }
    }

    // MARK: Parts

    /// Visits the elements of an array that the parser has checked, so the scan cannot fail. If it failed, the line would be rejected.
    func elements(
        of list: JSONSlice, in bytes: Span<UInt8>, _ visit: (JSONSlice) throws(CommandFault) -> Void
    ) throws(CommandFault) {
        var scanner = JSONScanner(bytes, list.range, limits: CommandMembers.limits)
        var more = try checked { () throws(JSONError) in try scanner.enterArray(in: bytes) }
        while more {
            try visit(try checked { () throws(JSONError) in try scanner.value(in: bytes) })
            more = try checked { () throws(JSONError) in try scanner.another(in: .array, bytes) }
        }
    }

    private func checked<Value>(_ scan: () throws(JSONError) -> Value) throws(CommandFault) -> Value {
        do {
            return try scan()
        } catch {
            throw CommandFault(.badJSON, "\(error)")
        }
    }

    private func number(_ slice: JSONSlice, in bytes: Span<UInt8>) -> Seq? {
        guard let number = slice.unsignedInteger(in: bytes), number <= CommandLimits.maximumNumber else { return nil }
        return Seq(number)
    }
}

extension String {
    /// At most 40 scalars of a peer's text, to quote it. The limit counts scalars, because one character may have any number of them.
    var shortened: String { String(unicodeScalars.prefix(40)) }

    /// Whether nothing of the text can be seen: it holds only white space, control and format characters, ignorable characters
    /// (Unicode's White_Space, Cc, Cf, Default_Ignorable_Code_Point), and the few symbols that are drawn empty.
    var isBlank: Bool { unicodeScalars.allSatisfy(\.isUnseen) }
}

extension Unicode.Scalar {
    fileprivate var isUnseen: Bool {
        if properties.isWhitespace || properties.isDefaultIgnorableCodePoint { return true }
        switch properties.generalCategory {
        case .control, .format, .unassigned: return true
        default: break
        }
        // U+2800 BRAILLE PATTERN BLANK, U+1D159 MUSICAL SYMBOL NULL NOTEHEAD.
        return value == 0x2800 || value == 0x1D159
    }
}
