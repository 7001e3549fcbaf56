import Messaging

extension BusCodec {
    /// Reads one message. Allocates for the bytes that it has read, never by a length or a count in the message.
    package static func decode(_ message: [UInt8]) throws(Failure) -> Decoded {
        guard message.count <= longestMessage else { throw .tooLong }
        guard message.count >= 2, message[0] == major else { throw .unknownVersion }
        let isNewer = message[1] > minor
        var decoded = Decoded()
        var reader = BusReader(message, 2..<message.count)
        while !reader.isAtEnd {
            var (kind, body) = try nextEvent(&reader)
            guard let kind = Kind(rawValue: kind) else {
                guard isNewer else { throw .malformed }
                decoded.unknownKinds += 1
                continue
            }
            do throws(BusReader.Failure) {
                let event = try body.event(kind, minor: message[1])
                guard body.isAtEnd || isNewer else { throw .malformed }
                decoded.events.append(event)
            } catch {
                switch error {
                case .unknownValue where isNewer: decoded.unreadable += 1
                // The message has the whole body, so a value that exceeds the body's end means malformed bytes and not a truncated message.
                case .unknownValue, .ended, .malformed: throw .malformed
                }
            }
        }
        return decoded
    }

    private static func nextEvent(_ reader: inout BusReader) throws(Failure) -> (kind: UInt8, body: BusReader) {
        do throws(BusReader.Failure) {
            let kind = try reader.byte()
            return (kind, try reader.part(of: try reader.number()))
        } catch {
            throw error == .ended ? .truncated : .malformed
        }
    }
}

/// Reads the parts of a message one after the other.
struct BusReader {
    enum Failure: Error {
        case ended
        case malformed
        /// A number or a name has no meaning in this version.
        case unknownValue
    }

    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset == end }
    /// The index of the next byte.
    var position: Int { offset }

    /// Returns a reader of the next `length` bytes and skips them.
    mutating func part(of length: UInt64) throws(Failure) -> BusReader {
        guard length <= UInt64(end - offset) else { throw .ended }
        let part = BusReader(bytes, offset..<(offset + Int(length)))
        offset = part.end
        return part
    }

    mutating func byte() throws(Failure) -> UInt8 {
        guard offset < end else { throw .ended }
        offset += 1
        return bytes[offset - 1]
    }

    mutating func number() throws(Failure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            let bits = UInt64(byte & 0x7F)
            // The tenth byte has room for one bit.
            guard shift < 63 || shift == 63 && bits <= 1 else { throw .malformed }
            value |= bits << shift
            if byte < 0x80 {
                // With a last byte of zero, the same number would have two forms.
                guard byte != 0 || shift == 0 else { throw .malformed }
                return value
            }
            shift += 7
        }
    }

    private mutating func small() throws(Failure) -> UInt32 {
        guard let value = UInt32(exactly: try number()) else { throw .malformed }
        return value
    }

    private mutating func flag() throws(Failure) -> Bool {
        switch try number() {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    private mutating func seq() throws(Failure) -> Seq { Seq(try number()) }

    private mutating func time() throws(Failure) -> Timestamp {
        let value = try number()
        return Timestamp(milliseconds: Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1))
    }

    private mutating func text() throws(Failure) -> String {
        let part = try part(of: try number())
        guard let text = String(validating: bytes[part.offset..<part.end], as: UTF8.self) else { throw .malformed }
        return text
    }

    private mutating func user() throws(Failure) -> UserID {
        guard let user = UserID(try text()) else { throw .malformed }
        return user
    }

    private mutating func channel() throws(Failure) -> Channel {
        // A newer version may have another kind of channel.
        guard let channel = Channel(storedName: try text()) else { throw .unknownValue }
        return channel
    }

    private mutating func one<Value>(of values: [Value]) throws(Failure) -> Value {
        let number = try number()
        guard number < UInt64(values.count) else { throw .unknownValue }
        return values[Int(number)]
    }

    mutating func event(_ kind: BusCodec.Kind, minor: UInt8) throws(Failure) -> BusEvent {
        switch kind {
        case .entries: return .entries(try entries(minor: minor))
        case .moved:
            let user = try user()
            let state = try state()
            let isProgress = try flag()
            return .moved(MovedCursor(user, state, isProgress: isProgress, session: try text()))
        case .active:
            let channel = try channel()
            let count = try number()
            return .active(channel, members: try users(count))
        case .opened:
            let state = try state()
            return .opened(state, by: try user())
        case .withdrawn:
            let channel = try channel()
            return .withdrawn(channel, from: try user())
        case .typing:
            let channel = try channel()
            return .signal(.typing(channel, try user()))
        case .hiddenTyping:
            let channel = try channel()
            return .signal(.typing(channel, try user(), hiddenFrom: try someUsers()))
        case .hidingChanged:
            let channel = try channel()
            return .hidingChanged(channel, of: try user())
        case .storedElsewhere:
            let channel = try channel()
            return .storedElsewhere(channel, upTo: try seq())
        case .movedElsewhere:
            let channel = try channel()
            let user = try user()
            return .movedElsewhere(user, channel, version: minor >= BusCodec.minorWithVersion ? try number() : 0)
        case .fenced: return .fenced(try fence())
        case .presence: return .signal(.presence(try presence()))
        }
    }

    private mutating func fence() throws(Failure) -> Fence {
        let user = try optionalUser()
        let login = try flag() ? LoginMark(rawValue: try number()) : nil
        let reason = try one(of: Fence.Reason.onTheBus)
        let issuedUpTo = try time()
        guard
            let fence = Fence(user: user, login: login, reason: reason, issuedUpTo: issuedUpTo, expiresAt: try time())
        else { throw .malformed }
        return fence
    }

    private mutating func presence() throws(Failure) -> PresenceNews {
        var news = PresenceNews(source: try number(), version: try number(), lines: [])
        if try flag() { news.range = PresenceNews.Range(lower: try optionalUser(), upper: try optionalUser()) }
        let count = try number()
        while UInt64(news.lines.count) < count {
            let user = try user()
            news.lines.append(PresenceNews.Line(user, try one(of: Presence.allCases)))
        }
        return news
    }

    /// An empty name stands for none.
    private mutating func optionalUser() throws(Failure) -> UserID? {
        let name = try text()
        guard !name.isEmpty else { return nil }
        guard let user = UserID(name) else { throw .malformed }
        return user
    }

    private mutating func users(_ count: UInt64) throws(Failure) -> [UserID] {
        var users: [UserID] = []
        while UInt64(users.count) < count { users.append(try user()) }
        return users
    }

    /// A list that is left out when it is empty, so that nothing has two forms.
    private mutating func someUsers() throws(Failure) -> [UserID] {
        let count = try number()
        guard count > 0 else { throw .malformed }
        return try users(count)
    }

    /// The count does not need a limit: each entry takes bytes, so the message's length bounds the loop.
    private mutating func entries(minor: UInt8) throws(Failure) -> [Entry] {
        var entries: [Entry] = []
        let count = try number()
        let isTold = minor >= BusCodec.minorWithReplacing
        while UInt64(entries.count) < count {
            let entry = try entry()
            entries.append(isTold || entry.draft.collapse == nil ? entry : entry.replacing())
        }
        if isTold, !isAtEnd { try markReplacing(&entries) }
        return entries
    }

    private mutating func markReplacing(_ entries: inout [Entry]) throws(Failure) {
        var next: UInt64 = 0
        var left = try number()
        guard left > 0 else { throw .malformed }
        while left > 0 {
            let position = try number()
            guard position >= next, position < UInt64(entries.count) else { throw .malformed }
            entries[Int(position)] = entries[Int(position)].replacing()
            next = position + 1
            left -= 1
        }
    }

    private mutating func entry() throws(Failure) -> Entry {
        let channel = try channel()
        let seq = try seq()
        let createdAt = try time()
        let source = try text()
        let id = try text()
        let kind = try one(of: EntryDraft.Kind.onTheBus)
        let eventType = try text()
        let priority = try one(of: EntryDraft.Priority.onTheBus)
        let form = try one(of: EntryDraft.Form.onTheBus)
        let content = try text()
        let members = try number()
        guard members <= BusCodec.EntryMember.all else { throw .unknownValue }
        func has(_ member: UInt64) -> Bool { members & member != 0 }
        let sender = has(BusCodec.EntryMember.sender) ? try user() : nil
        let group = has(BusCodec.EntryMember.group) ? try text() : nil
        let collapse = has(BusCodec.EntryMember.collapse) ? try text() : nil
        let expiresAt = has(BusCodec.EntryMember.expiry) ? try time() : nil
        let trace = has(BusCodec.EntryMember.trace) ? try text() : nil
        let replyTo = has(BusCodec.EntryMember.replyTo) ? try self.seq() : nil
        let hiddenFrom = has(BusCodec.EntryMember.hiddenFrom) ? try someUsers() : []
        // The content goes into frames unchanged, and a frame is one line.
        guard seq > .zero, !content.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") }) else { throw .malformed }
        return Entry(
            seq: seq, createdAt: createdAt,
            draft: EntryDraft(
                channel: channel, source: source, id: id, kind: kind, eventType: eventType, priority: priority, form: form,
                sender: sender, content: content, group: group, collapse: collapse, expiresAt: expiresAt,
                receiptRequired: has(BusCodec.EntryMember.receiptRequired), trace: trace, replyTo: replyTo),
            hiddenFrom: hiddenFrom)
    }

    private mutating func state() throws(Failure) -> ChannelState {
        var state = ChannelState(channel: try channel(), head: try seq(), cursor: try cursor())
        state.counters = Counters(unread: try small(), unseen: try small(), urgent: try small())
        state.cursorVersion = try number()
        let members = try number()
        while UInt64(state.members.count) < members { state.members.append(try user()) }
        let progress = try number()
        while UInt64(state.progress.count) < progress {
            state.progress.append(MemberProgress(try user(), delivered: try seq(), read: try seq()))
        }
        state.nextExpiry = try flag() ? try time() : nil
        return state
    }

    private mutating func cursor() throws(Failure) -> Cursor {
        var cursor = Cursor(delivered: try seq(), seen: try seq(), read: try seq())
        let count = try number()
        guard count <= UInt64(Cursor.mostRanges) else { throw .malformed }
        var end = cursor.read.rawValue
        for _ in 0..<count {
            let (lower, lowerOverflows) = end.addingReportingOverflow(try number())
            let (upper, upperOverflows) = lower.addingReportingOverflow(try number())
            guard lower > end, !lowerOverflows, !upperOverflows else { throw .malformed }
            cursor.readAlso.append(lower...upper)
            end = upper
        }
        return cursor
    }
}

extension Entry {
    fileprivate func replacing() -> Entry {
        Entry(seq: seq, createdAt: createdAt, draft: draft, hiddenFrom: hiddenFrom, replaces: true)
    }
}
