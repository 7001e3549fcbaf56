internal import JSON

// One page of rules: what each command needs, and what its members may hold.
extension CommandMembers {
    func command(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> ClientCommand {
        if self[.id] != nil, id(in: bytes) == nil { throw .badRequest(.id, "an integer 0…2^53-1") }
        return ClientCommand(id: id(in: bytes), body: try body(in: bytes, limits))
    }

    private func body(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> ClientCommand.Body {
        switch try kind(in: bytes) {
        case .connect:
            return .connect(token: try optionalText(.token, in: bytes), subscriptions: try subscriptions(in: bytes, limits))
        case .refresh:
            return .refresh(token: try text(.token, in: bytes))
        case .subscribe:
            return .subscribe(SubscriptionRequest(channel: try channel(in: bytes), since: try optionalSeq(.since, in: bytes)))
        case .unsubscribe:
            return .unsubscribe(channel: try channel(in: bytes))
        case .ack:
            return .ack(channel: try channel(in: bytes), seq: try seq(.seq, in: bytes))
        case .markSeen:
            return .markSeen(channel: try channel(in: bytes), upTo: try seq(.seq, in: bytes))
        case .markRead:
            return .markRead(channel: try channel(in: bytes), try selection(in: bytes, limits))
        case .markUnread:
            try exactlyOne(of: [.seq, .seqs])
            return .markUnread(channel: try channel(in: bytes), try entries(in: bytes, limits))
        case .open:
            return .open(with: try user(.with, in: bytes), context: try context(in: bytes))
        case .send:
            return .send(try draft(in: bytes, limits))
        case .history:
            if self[.after] != nil, self[.before] != nil { throw CommandFault(.badRequest, "after, before: expected at most one of them") }
            return .history(
                channel: try channel(in: bytes), after: try optionalSeq(.after, in: bytes), before: try optionalSeq(.before, in: bytes),
                limit: try pageSize(in: bytes, limits))
        case .conversations:
            return .conversations(before: try optionalText(.before, in: bytes), limit: try pageSize(in: bytes, limits))
        case .typing:
            return .typing(channel: try channel(in: bytes))
        case .ping:
            return .ping
        }
    }

    // MARK: Rules of several commands

    private func kind(in bytes: Span<UInt8>) throws(CommandFault) -> ClientCommand.Kind {
        if let slice = self[.type], let kind = ClientCommand.Kind(word: slice.word(in: bytes)) { return kind }
        let type = try text(.type, in: bytes)
        guard let kind = ClientCommand.Kind(rawValue: type) else {
            let known = ClientCommand.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFault(.unknownType, "type: \(type.shortened) is not one of \(known)")
        }
        return kind
    }

    private func channel(in bytes: Span<UInt8>) throws(CommandFault) -> String {
        try text(.channel, in: bytes)
    }

    private func user(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> UserID {
        guard let user = UserID(try text(member, in: bytes)) else {
            throw .badRequest(member, "a user's name of 1…\(UserID.maximumBytes) bytes without control characters")
        }
        return user
    }

    private func context(in bytes: Span<UInt8>) throws(CommandFault) -> String? {
        guard let context = try optionalText(.context, in: bytes) else { return nil }
        guard Identifier.isAcceptable(context, maximumBytes: CommandLimits.contextBytes) else {
            throw .badRequest(.context, "a name of 1…\(CommandLimits.contextBytes) bytes without control characters")
        }
        return context
    }

    private func exactlyOne(of members: [CommandMember]) throws(CommandFault) {
        guard members.count(where: { self[$0] != nil }) == 1 else {
            throw CommandFault(.badRequest, "\(members.map(\.name).joined(separator: ", ")): expected exactly one of them")
        }
    }

    // MARK: Rules of one command

    private func selection(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> ClientCommand.ReadSelection {
        try exactlyOne(of: [.seq, .seqs, .upTo, .all])
        if let all = self[.all] {
            guard all.bool(in: bytes) == true else { throw .badRequest(.all, "true") }
            return .all
        }
        return self[.upTo] == nil ? .set(try entries(in: bytes, limits)) : .upTo(try seq(.upTo, in: bytes))
    }

    private func entries(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> [Seq] {
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

    private func subscriptions(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> [SubscriptionRequest] {
        guard let list = self[.channels] else { return [] }
        guard list.kind == .array else { throw .badRequest(.channels, #"an array of {"channel", "since"}"#) }
        var requests: [SubscriptionRequest] = []
        try elements(of: list, in: bytes) { element throws(CommandFault) in
            guard requests.count < limits.subscriptions else {
                throw CommandFault(.limitExceeded, "channels: expected at most \(limits.subscriptions)")
            }
            guard element.kind == .object else { throw .badRequest(.channels, #"an array of {"channel", "since"}"#) }
            var request = CommandMembers()
            try request.read(element.range, of: bytes)
            requests.append(SubscriptionRequest(channel: try request.channel(in: bytes), since: try request.optionalSeq(.since, in: bytes)))
        }
        return requests
    }

    private func draft(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> SendDraft {
        try exactlyOne(of: [.channel, .to])
        let target: SendDraft.Target = self[.to] == nil ? .channel(try channel(in: bytes)) : .user(try user(.to, in: bytes))
        let key = try text(.key, in: bytes)
        guard Identifier.isAcceptable(key, maximumBytes: CommandLimits.keyBytes) else {
            throw .badRequest(.key, "1…\(CommandLimits.keyBytes) bytes without control characters")
        }
        let body = try text(.body, in: bytes)
        guard body.utf8.count <= limits.bodyBytes else {
            throw CommandFault(.tooLarge, "body: \(body.utf8.count) bytes; expected at most \(limits.bodyBytes)")
        }
        guard !body.isBlank else { throw .badRequest(.body, "a text that is not blank") }
        return SendDraft(
            target: target, key: key, body: body, context: try context(in: bytes),
            replyTo: self[.replyTo] == nil ? nil : try entry(.replyTo, in: bytes), data: try data(in: bytes, limits))
    }

    private func data(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> String? {
        guard let slice = self[.data] else { return nil }
        let value: JSONValue
        do {
            value = try JSONValue.parse(slice.range, of: bytes, limits: CommandMembers.limits)
        } catch {
            throw CommandFault(.badJSON, "data: \(error.reason.rawValue)")
        }
        let text = value.text
        guard text.utf8.count <= limits.dataBytes else {
            throw CommandFault(.tooLarge, "data: \(text.utf8.count) bytes; expected at most \(limits.dataBytes)")
        }
        return text
    }

    private func pageSize(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> Int {
        guard self[.limit] != nil else { return limits.historyPage }
        return Int(min(try entry(.limit, in: bytes).rawValue, UInt64(max(limits.historyPage, 1))))
    }

    // MARK: Members by kind

    private func text(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> String {
        guard let text = self[member]?.string(in: bytes) else { throw .badRequest(member, "a string") }
        return text
    }

    private func optionalText(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> String? {
        self[member] == nil ? nil : try text(member, in: bytes)
    }

    /// A position: zero is before the first entry.
    private func seq(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq {
        guard let slice = self[member], let seq = number(slice, in: bytes) else { throw .badRequest(member, "an integer 0…2^53-1") }
        return seq
    }

    private func optionalSeq(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq? {
        self[member] == nil ? nil : try seq(member, in: bytes)
    }

    /// An entry: there is none with number zero.
    private func entry(_ member: CommandMember, in bytes: Span<UInt8>) throws(CommandFault) -> Seq {
        guard let slice = self[member], let seq = number(slice, in: bytes), seq > .zero else {
            throw .badRequest(member, "an integer 1…2^53-1")
        }
        return seq
    }

    private func number(_ slice: JSONSlice, in bytes: Span<UInt8>) -> Seq? {
        guard let number = slice.unsignedInteger(in: bytes), number <= ClientCommand.maximumNumber else { return nil }
        return Seq(number)
    }

    /// Walks an array that was checked before, so its scan cannot fail; should it, the line is refused.
    private func elements(
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
}

extension ClientCommand.Kind {
    private static let words = allCases.map { JSONSlice.word($0.rawValue) }

    /// By the text as one word: cheaper than comparing with one string after another.
    fileprivate init?(word: UInt128) {
        guard let index = Self.words.firstIndex(of: word) else { return nil }
        self = Self.allCases[index]
    }
}

extension String {
    /// A piece of at most 40 scalars, for quoting what a peer wrote; one character may hold any number of them.
    var shortened: String { String(unicodeScalars.prefix(40)) }

    /// Nothing but white space and characters that show nothing (Unicode's White_Space and Default_Ignorable_Code_Point).
    var isBlank: Bool {
        unicodeScalars.allSatisfy { $0.properties.isWhitespace || $0.properties.isDefaultIgnorableCodePoint }
    }
}
