import Bus
import Messaging
import TestKit

struct NotAName: Error {}

/// Events of every kind with every member, by seeded randomness.
struct RandomEvents {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func events(_ count: Int) throws -> [BusEvent] {
        var events: [BusEvent] = []
        for _ in 0..<count { events.append(try event()) }
        return events
    }

    mutating func event() throws -> BusEvent {
        switch Int.random(in: 0..<13, using: &random) {
        case 0:
            var entries: [Entry] = []
            for _ in 0..<Int.random(in: 1...5, using: &random) { entries.append(try entry()) }
            return .entries(entries)
        case 1: return .moved(MovedCursor(try user(), try state(), isProgress: .random(using: &random), session: text()))
        case 2: return .opened(try state(), by: try user())
        case 3: return .withdrawn(try channel(), from: try user())
        case 4: return .active(try channel(), members: try (0..<Int.random(in: 0...3, using: &random)).map { _ in try user() })
        case 5: return .hidingChanged(try channel(), of: try user())
        case 6: return .signal(.typing(try channel(), try user(), hiddenFrom: try (0..<3).map { _ in try user() }))
        case 7: return .storedElsewhere(try channel(), upTo: Seq(number()))
        case 8: return .movedElsewhere(try user(), try channel(), version: random.next() >> 1)
        case 9: return .signal(.presence(PresenceNews(source: number(), version: number(), lines: try presences())))
        case 10:
            let range = PresenceNews.Range(
                lower: .random(using: &random) ? nil : try user(), upper: .random(using: &random) ? nil : try user())
            return .signal(.presence(PresenceNews(source: number(), version: number(), range: range, lines: try presences())))
        case 11:
            let (user, login) = (try user(), LoginMark(rawValue: random.next()))
            let parts = random.pick([(user, nil), (nil, login), (user, login)] as [(UserID?, LoginMark?)])
            guard
                let fence = Fence(
                    user: parts.0, login: parts.1, reason: random.pick(Fence.Reason.allCases), issuedUpTo: time(), expiresAt: time())
            else { throw NotAName() }
            return .fenced(fence)
        default: return .signal(.typing(try channel(), try user()))
        }
    }

    mutating func entry() throws -> Entry {
        let draft = EntryDraft(
            channel: try channel(), source: text(), id: text(), kind: random.pick(EntryDraft.Kind.allCases), eventType: text(),
            priority: random.pick(EntryDraft.Priority.allCases), form: random.pick(EntryDraft.Form.allCases),
            sender: random.chance(2) ? try user() : nil, content: #""title":"\#(text())""#, group: optionalText(),
            collapse: optionalText(), expiresAt: random.chance(2) ? time() : nil, receiptRequired: .random(using: &random),
            trace: optionalText(), replyTo: random.chance(2) ? Seq(number()) : nil)
        let hiddenFrom = random.chance(3) ? try (0..<Int.random(in: 1...3, using: &random)).map { _ in try user() } : []
        return Entry(seq: Seq(max(1, number())), createdAt: time(), draft: draft, hiddenFrom: hiddenFrom, replaces: random.chance(3))
    }

    private mutating func state() throws -> ChannelState {
        var state = ChannelState(channel: try channel(), head: Seq(number()), cursorVersion: number())
        let read = number() >> 8
        state.cursor = Cursor(delivered: Seq(number()), seen: Seq(number()), read: Seq(read))
        var end = read
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let lower = end + 1 + (number() >> 16)
            end = lower + (number() >> 16)
            state.cursor.readAlso.append(lower...end)
        }
        state.counters = Counters(
            unread: UInt32(truncatingIfNeeded: number()), unseen: UInt32(truncatingIfNeeded: number()),
            urgent: UInt32(truncatingIfNeeded: number()))
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let member = try user()
            state.members.append(member)
            if random.chance(2) {
                state.progress.append(MemberProgress(member, delivered: Seq(number()), read: Seq(number())))
            }
        }
        if random.chance(2) { state.nextExpiry = time() }
        return state
    }

    private mutating func channel() throws -> Channel {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return .inbox(try user())
        case 1: return .broadcast(random.chance(2) ? "system" : "institution:\(number())")
        default:
            let digits = String(random.next() >> 16, radix: 16)
            let tail = String(repeating: "0", count: 12 - digits.count) + digits
            guard let id = ConversationID("11111111-2222-3333-4444-\(tail)") else { throw NotAName() }
            return .conversation(id)
        }
    }

    private mutating func user() throws -> UserID {
        let name = random.pick(["ann", "bob", "Jürgen", "a@b.example", "用户", String(repeating: "x", count: 255)])
        guard let user = UserID(name) else { throw NotAName() }
        return user
    }

    /// Small ones more often, the largest too.
    private mutating func presences() throws -> [PresenceNews.Line] {
        try (0..<Int.random(in: 0...3, using: &random)).map { _ in PresenceNews.Line(try user(), random.pick(Presence.allCases)) }
    }

    private mutating func number() -> UInt64 {
        random.chance(20) ? .max : random.next() >> UInt64.random(in: 0..<64, using: &random)
    }

    private mutating func time() -> Timestamp {
        Timestamp(milliseconds: random.chance(20) ? random.pick([.min, .max, 0, -1]) : Int64(bitPattern: random.next()))
    }

    private mutating func text() -> String {
        let letters = ["a", "é", "e\u{301}", "€", "😀", " ", "\u{1}", "0"]
        return (0..<Int.random(in: 0...40, using: &random)).map { _ in random.pick(letters) }.joined()
    }

    private mutating func optionalText() -> String? { random.chance(2) ? text() : nil }
}
