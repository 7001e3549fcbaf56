import Bytes
import Messaging

extension BusCodec {
    /// Writes the events in their order, into one or more messages. An event with many entries may become several events.
    package static func encode(_ events: [BusEvent], usualMessage: Int = usualMessage) -> Encoded {
        var encoder = BusEncoder(usualMessage: usualMessage)
        for event in events { encoder.add(event) }
        return encoder.finish()
    }
}

struct BusEncoder {
    private let usualMessage: Int
    private var encoded = BusCodec.Encoded()
    /// The message being written. It is empty or begins with the two version bytes.
    private var message: [UInt8] = []

    init(usualMessage: Int) { self.usualMessage = usualMessage }

    /// The bytes before a body at most: two version bytes, the kind and the body's length.
    private static let envelopeBytes = 2 + 1 + 10

    mutating func add(_ event: BusEvent) {
        switch event {
        case .entries(let entries): add(entries)
        case .moved(let cursor):
            append(.moved) { body in
                body.append(text: cursor.user.name)
                body.append(cursor.state)
                body.append(number: cursor.isProgress ? 1 : 0)
                body.append(text: cursor.session)
            }
        case .active(let channel, let members):
            append(.active) { body in
                body.append(channel)
                body.append(members)
            }
        case .opened(let state, let user):
            append(.opened) { body in
                body.append(state)
                body.append(text: user.name)
            }
        case .withdrawn(let channel, let user):
            append(.withdrawn) { body in
                body.append(channel)
                body.append(text: user.name)
            }
        case .hidingChanged(let channel, let user):
            append(.hidingChanged) { body in
                body.append(channel)
                body.append(text: user.name)
            }
        case .storedElsewhere(let channel, let last):
            append(.storedElsewhere) { body in
                body.append(channel)
                body.append(number: last.rawValue)
            }
        case .movedElsewhere(let user, let channel, let version):
            append(.movedElsewhere) { body in
                body.append(channel)
                body.append(text: user.name)
                body.append(number: version)
            }
        case .fenced(let fence):
            append(.fenced) { body in
                // No user has an empty name.
                body.append(text: fence.user?.name ?? "")
                body.append(number: fence.login == nil ? 0 : 1)
                if let login = fence.login { body.append(number: login.rawValue) }
                body.append(number: fence.reason.busNumber)
                body.append(time: fence.issuedUpTo)
                body.append(time: fence.expiresAt)
            }
        case .signal(.presence(let news)): add(news)
        case .signal(.typing(let channel, let user, let hiddenFrom)):
            append(hiddenFrom.isEmpty ? .typing : .hiddenTyping) { body in
                body.append(channel)
                body.append(text: user.name)
                if !hiddenFrom.isEmpty { body.append(hiddenFrom) }
            }
        }
    }

    private mutating func add(_ news: PresenceNews) {
        append(.presence) { body in
            body.append(number: news.source)
            body.append(number: news.version)
            body.append(number: news.range == nil ? 0 : 1)
            if let range = news.range {
                // No user has an empty name.
                body.append(text: range.lower?.name ?? "")
                body.append(text: range.upper?.name ?? "")
            }
            body.append(number: UInt64(news.lines.count))
            for line in news.lines {
                body.append(text: line.user.name)
                body.append(number: UInt64(line.presence.rawValue))
            }
        }
    }

    mutating func finish() -> BusCodec.Encoded {
        close()
        return encoded
    }

    /// Divides the entries among events that fit into a usual message. A longer entry has an event of its own.
    private mutating func add(_ entries: [Entry]) {
        var list: [UInt8] = []
        var count: UInt64 = 0
        var replacing: [UInt64] = []
        for entry in entries {
            var one: [UInt8] = []
            one.append(entry)
            // The body has a count before the entries, and may have a list behind them: for one entry these are three bytes.
            if one.count > BusCodec.longestMessage - Self.envelopeBytes - 10 {
                encoded.leftOut += 1
                continue
            }
            if count > 0, list.count + one.count > usualMessage {
                append(entries: count, list, replacing)
                list = []
                count = 0
                replacing = []
            }
            if entry.replaces { replacing.append(count) }
            list.append(copying: one.span)
            count += 1
        }
        append(entries: count, list, replacing)
    }

    private mutating func append(entries count: UInt64, _ list: [UInt8], _ replacing: [UInt64]) {
        guard count > 0 else { return }
        append(.entries) { body in
            body.append(number: count)
            body.append(copying: list.span)
            guard !replacing.isEmpty else { return }
            body.append(number: UInt64(replacing.count))
            for position in replacing { body.append(number: position) }
        }
    }

    private mutating func append(_ kind: BusCodec.Kind, _ write: (inout [UInt8]) -> Void) {
        var body: [UInt8] = []
        write(&body)
        guard body.count <= BusCodec.longestMessage - Self.envelopeBytes else {
            encoded.leftOut += 1
            return
        }
        if message.count + body.count + Self.envelopeBytes > usualMessage { close() }
        if message.isEmpty { message = [BusCodec.major, BusCodec.minor] }
        message.append(kind.rawValue)
        message.append(number: UInt64(body.count))
        message.append(copying: body.span)
    }

    private mutating func close() {
        if !message.isEmpty { encoded.messages.append(message) }
        message = []
    }
}

extension [UInt8] {
    mutating func append(number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    fileprivate mutating func append(time: Timestamp) {
        let value = time.milliseconds
        append(number: UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    fileprivate mutating func append(text: String) {
        append(number: UInt64(text.utf8.count))
        append(copying: text.utf8.span)
    }

    fileprivate mutating func append(_ users: [UserID]) {
        append(number: UInt64(users.count))
        for user in users { append(text: user.name) }
    }

    fileprivate mutating func append(_ channel: Channel) {
        let name = channel.storedParts
        append(number: UInt64(name.prefix.utf8.count + name.name.utf8.count))
        append(copying: name.prefix.utf8.span)
        append(copying: name.name.utf8.span)
    }

    fileprivate mutating func append(_ entry: Entry) {
        let draft = entry.draft
        append(draft.channel)
        append(number: entry.seq.rawValue)
        append(time: entry.createdAt)
        append(text: draft.source)
        append(text: draft.id)
        append(number: draft.kind.busNumber)
        append(text: draft.eventType)
        append(number: draft.priority.busNumber)
        append(number: draft.form.busNumber)
        append(text: draft.content)
        append(number: draft.busMembers | (entry.hiddenFrom.isEmpty ? 0 : BusCodec.EntryMember.hiddenFrom))
        if let sender = draft.sender { append(text: sender.name) }
        if let group = draft.group { append(text: group) }
        if let collapse = draft.collapse { append(text: collapse) }
        if let expiresAt = draft.expiresAt { append(time: expiresAt) }
        if let trace = draft.trace { append(text: trace) }
        if let replyTo = draft.replyTo { append(number: replyTo.rawValue) }
        if !entry.hiddenFrom.isEmpty { append(entry.hiddenFrom) }
    }

    fileprivate mutating func append(_ state: ChannelState) {
        append(state.channel)
        append(number: state.head.rawValue)
        append(state.cursor)
        append(number: UInt64(state.counters.unread))
        append(number: UInt64(state.counters.unseen))
        append(number: UInt64(state.counters.urgent))
        append(number: state.cursorVersion)
        append(number: UInt64(state.members.count))
        for member in state.members { append(text: member.name) }
        append(number: UInt64(state.progress.count))
        for member in state.progress {
            append(text: member.user.name)
            append(number: member.delivered.rawValue)
            append(number: member.read.rawValue)
        }
        append(number: state.nextExpiry == nil ? 0 : 1)
        if let expiry = state.nextExpiry { append(time: expiry) }
    }

    /// Writes each range as its distance from the previous end and its length - 1. So only ascending ranges can be written.
    fileprivate mutating func append(_ cursor: Cursor) {
        append(number: cursor.delivered.rawValue)
        append(number: cursor.seen.rawValue)
        append(number: cursor.read.rawValue)
        append(number: UInt64(cursor.readAlso.count))
        var end = cursor.read.rawValue
        for range in cursor.readAlso {
            append(number: range.lowerBound &- end)
            append(number: range.upperBound &- range.lowerBound)
            end = range.upperBound
        }
    }
}

extension EntryDraft {
    fileprivate var busMembers: UInt64 {
        var members: UInt64 = 0
        if sender != nil { members |= BusCodec.EntryMember.sender }
        if group != nil { members |= BusCodec.EntryMember.group }
        if collapse != nil { members |= BusCodec.EntryMember.collapse }
        if expiresAt != nil { members |= BusCodec.EntryMember.expiry }
        if receiptRequired { members |= BusCodec.EntryMember.receiptRequired }
        if trace != nil { members |= BusCodec.EntryMember.trace }
        if replyTo != nil { members |= BusCodec.EntryMember.replyTo }
        return members
    }
}
