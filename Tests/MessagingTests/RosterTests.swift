import HangGuard
import Messaging
import TestKit
import Testing

@Suite("Roster and subscriber: no entry is lost between history and live", .guarded)
struct RosterTests {
    static let alice = UserID("alice")!
    static let system = Channel.broadcast("system")

    func state(head: UInt64, unread: UInt32 = 0, cursorVersion: UInt64 = 0) -> ChannelState {
        ChannelState(channel: Self.system, head: Seq(head), counters: Counters(unread: unread), cursorVersion: cursorVersion)
    }

    func subscriber() -> Subscriber { Subscriber(session: SessionID(slot: 1, generation: 0), user: 7) }

    func admit(_ subscriber: inout Subscriber, _ seq: UInt64, author: UInt32 = 0, congested: Bool = false) -> Subscriber.Admission {
        subscriber.admit(Seq(seq), author: author, weight: .normal, isCongested: congested)
    }

    @Test("a subscription without since starts at the head and is live at once")
    func startsAtHead() {
        var one = subscriber()
        #expect(one.open(state(head: 5), since: nil) == false)
        #expect(one.phase == .live)
        #expect(admit(&one, 6) == .deliver)
        #expect(one.position == Seq(6))
    }

    @Test("an entry that counts for nobody moves the position only")
    func weightless() {
        var one = subscriber()
        _ = one.open(state(head: 5, unread: 2), since: nil)
        #expect(one.admit(Seq(6), author: 0, weight: .none, isCongested: false) == .deliver)
        #expect(one.counters == Counters(unread: 2) && !one.isCountersStale && one.position == Seq(6))
        #expect(one.admit(Seq(7), author: 0, weight: .urgent, isCongested: false) == .deliver)
        #expect(one.counters == Counters(unread: 3, unseen: 1, urgent: 1) && one.isCountersStale)
        let past = draft(Self.system, "1", priority: .critical, expiresAt: Timestamp(milliseconds: 5))
        #expect(past.weight(at: Timestamp(milliseconds: 5)) == .none)
        #expect(past.weight(at: Timestamp(milliseconds: 4)) == .urgent)
    }

    @Test("an entry that arrives before the start is known is read from the store")
    func registeredFirst() {
        var one = subscriber()
        #expect(admit(&one, 6) == .skip)
        // The snapshot was taken before entry 6 was committed.
        #expect(one.open(state(head: 5), since: nil) == true)
        #expect(one.admitReplayed(Seq(6), author: 0, weight: .normal) == true)
        #expect(one.finishPage(head: Seq(6), more: false) == true)
        #expect(one.phase == .live)
    }

    @Test("an entry that arrives during a page is read with another page")
    func passesDuringPage() {
        var one = subscriber()
        #expect(one.open(state(head: 3), since: Seq(1)) == true)
        #expect(admit(&one, 4) == .skip)
        #expect(one.admitReplayed(Seq(2), author: 0, weight: .normal) == true)
        #expect(one.admitReplayed(Seq(3), author: 0, weight: .normal) == true)
        #expect(one.finishPage(head: Seq(3), more: false) == false)
        #expect(one.admitReplayed(Seq(4), author: 0, weight: .normal) == true)
        #expect(one.finishPage(head: Seq(4), more: false) == true)
    }

    @Test("an entry of a page is not delivered again by the bus")
    func deduplicates() {
        var one = subscriber()
        _ = one.open(state(head: 2), since: Seq(0))
        for seq in 1...3 as ClosedRange<UInt64> { #expect(one.admitReplayed(Seq(seq), author: 0, weight: .normal) == true) }
        #expect(one.admitReplayed(Seq(3), author: 0, weight: .normal) == false)
        #expect(one.finishPage(head: Seq(3), more: false) == true)
        #expect(admit(&one, 2) == .skip)
        #expect(admit(&one, 3) == .skip)
        #expect(admit(&one, 4) == .deliver)
    }

    @Test("a gap or a congested connection sends the session to the store")
    func gaps() {
        var one = subscriber()
        _ = one.open(state(head: 2), since: nil)
        #expect(admit(&one, 4) == .replay)
        #expect(one.phase == .replaying)
        #expect(admit(&one, 5) == .skip)
        #expect(one.admitReplayed(Seq(3), author: 0, weight: .normal) == true)
        #expect(one.finishPage(head: Seq(5), more: true) == false)
        for seq in 4...5 as ClosedRange<UInt64> { #expect(one.admitReplayed(Seq(seq), author: 0, weight: .normal) == true) }
        #expect(one.finishPage(head: Seq(5), more: false) == true)
        #expect(admit(&one, 6, congested: true) == .replay)
        #expect(one.position == Seq(5))
    }

    @Test("counters include each entry once in any order of events, and never the user's own entries")
    func counts() {
        var one = subscriber()
        _ = one.open(state(head: 4, unread: 2), since: Seq(2))
        #expect(one.counters.unread == 2)
        // Entries 3 and 4 are in the store's numbers already.
        _ = one.admitReplayed(Seq(3), author: 0, weight: .normal)
        _ = one.admitReplayed(Seq(4), author: 0, weight: .normal)
        _ = one.finishPage(head: Seq(4), more: false)
        #expect(one.counters.unread == 2)
        #expect(one.isCountersStale == false)
        _ = admit(&one, 5)
        #expect(one.counters.unread == 3)
        #expect(one.isCountersStale)
        _ = admit(&one, 6, author: 7)
        #expect(one.counters.unread == 3)
        #expect(one.version == 6)
    }

    @Test("the store's counters replace the loop's, unless the loop has counted newer entries")
    func adopts() {
        var one = subscriber()
        _ = one.open(state(head: 4, unread: 4), since: nil)
        _ = admit(&one, 5)
        #expect(one.adopt(state(head: 4, unread: 0, cursorVersion: 1)) == false)
        #expect(one.counters.unread == 5)
        #expect(one.adopt(state(head: 5, unread: 1, cursorVersion: 1)) == true)
        #expect(one.counters.unread == 1)
        // An older answer that comes late changes nothing.
        #expect(one.adopt(state(head: 5, unread: 5, cursorVersion: 0)) == true)
        #expect(one.counters.unread == 1)
    }

    @Test("a rewound subscription gets its entries again")
    func rewinds() {
        var one = subscriber()
        _ = one.open(state(head: 4), since: nil)
        one.rewind(to: Seq(2))
        for seq in 3...4 as ClosedRange<UInt64> { #expect(one.admitReplayed(Seq(seq), author: 0, weight: .normal) == true) }
        #expect(one.finishPage(head: Seq(4), more: false) == true)
        #expect(admit(&one, 5) == .deliver)
    }

    @Test("a subscriber's slot does not change while others leave and join")
    func stablePlaces() {
        var roster = Roster(channel: Self.system)
        let slots = (0..<4).map { roster.add(Subscriber(session: SessionID(slot: UInt32($0), generation: 0), user: 0)) }
        roster.remove(at: slots[1])
        roster.remove(at: slots[1])
        #expect(roster.count == 3)
        #expect(roster.subscriber(at: slots[3])?.session == SessionID(slot: 3, generation: 0))
        let reused = roster.add(Subscriber(session: SessionID(slot: 9, generation: 0), user: 0))
        #expect(reused == slots[1])
        var seen: [UInt32] = []
        let next = roster.visit(0..<roster.end) { _, subscriber in
            seen.append(subscriber.session.slot)
            return seen.count < 2
        }
        #expect(seen == [0, 9])
        #expect(next == 2)
    }

    @Test("missed entries are read in every state of the subscription")
    func suspects() {
        var opening = subscriber()
        opening.suspect()
        #expect(opening.open(state(head: 4), since: nil) == true)

        var reading = subscriber()
        _ = reading.open(state(head: 4), since: Seq(2))
        #expect(reading.startPage() == Seq(2))
        #expect(reading.startPage() == nil)
        reading.suspect()
        #expect(reading.startPage() == Seq(2))

        var live = subscriber()
        _ = live.open(state(head: 4), since: nil)
        live.suspect()
        #expect(live.startPage() == Seq(4))
    }

    @Test("a page that was requested before a rewind is ignored")
    func stalePage() {
        var one = subscriber()
        _ = one.open(state(head: 4), since: Seq(3))
        #expect(one.startPage() == Seq(3))
        one.rewind(to: Seq(1))
        #expect(one.startPage() == Seq(1))
        #expect(one.takePage(from: Seq(3)) == false)
        #expect(one.takePage(from: Seq(1)) == true)
    }

    /// Interleaves commits, bus events, lost events, rewinds and pages at random: what is pushed is always the next entry.
    @Test("every interleaving of commits, events, losses, rewinds and pages pushes each entry once and in order", arguments: 0..<300)
    func interleavings(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        func below(_ bound: UInt64) -> UInt64 { UInt64.random(in: 0..<bound, using: &random) }
        var one = subscriber()
        var head = below(5)
        let since = below(head + 1)
        var next = since + 1
        var events: [UInt64] = []
        var pages: [(start: Seq, entries: [UInt64], head: UInt64, more: Bool)] = []
        var snapshot: UInt64?

        func push(_ seq: UInt64) {
            #expect(seq == next)
            next = seq + 1
        }
        func hear() {
            let seq = events.removeFirst()
            if admit(&one, seq, congested: below(8) == 0) == .deliver { push(seq) }
        }
        func order() {
            guard let start = one.startPage() else { return }
            let all = start.rawValue < head ? Array((start.rawValue + 1)...head) : []
            pages.append((start, Array(all.prefix(3)), head, all.count > 3))
        }
        func take() {
            let page = pages.removeFirst()
            guard one.takePage(from: page.start) else { return }
            for seq in page.entries where one.admitReplayed(Seq(seq), author: 0, weight: .normal) { push(seq) }
            _ = one.finishPage(head: Seq(page.head), more: page.more)
        }
        for _ in 0..<80 {
            switch below(8) {
            case 0, 1:
                head += 1
                events.append(head)
            case 2 where !events.isEmpty, 3 where !events.isEmpty: hear()
            case 4 where one.phase == .opening:
                if let taken = snapshot { _ = one.open(state(head: taken), since: Seq(since)) } else { snapshot = head }
            case 4, 5: if pages.isEmpty || below(3) == 0 { order() } else { take() }
            case 6 where !events.isEmpty && below(3) == 0:
                events.removeFirst()
                one.suspect()
            case 7 where one.isGranted && one.position > .zero && below(3) == 0:
                let back = below(one.position.rawValue)
                one.rewind(to: Seq(back))
                next = back + 1
            default: continue
            }
        }
        // The dust settles: everything still under way arrives.
        if one.phase == .opening { _ = one.open(state(head: snapshot ?? head), since: Seq(since)) }
        for _ in 0..<500 where one.phase == .replaying || !events.isEmpty || !pages.isEmpty {
            if !events.isEmpty { hear() } else if !pages.isEmpty { take() } else { order() }
        }
        #expect(one.phase == .live)
        #expect(next == max(head, since) + 1)
    }
}

@Suite("Roster: entries that expire", .guarded)
struct RosterExpiryTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

    @Test("the earliest expiry is reported once, at its time")
    func earliest() {
        var roster = Roster(channel: .broadcast("system"))
        #expect(roster.takeExpiry(upTo: at(100)) == false)
        roster.note(expiry: at(70))
        roster.note(expiry: at(50))
        roster.note(expiry: at(60))
        #expect(roster.takeExpiry(upTo: at(49)) == false)
        #expect(roster.takeExpiry(upTo: at(50)) == true)
        #expect(roster.takeExpiry(upTo: at(100)) == false, "the later ones are told by those who are counted anew")
    }

    @Test("only users with counted entries are recounted, a bounded number at a time")
    func counting() {
        var roster = Roster(channel: .broadcast("system"))
        for key in 0..<10 {
            let slot = roster.add(Subscriber(session: SessionID(slot: UInt32(key), generation: 0), user: UInt32(key)))
            guard key != 4 else { continue }  // is still opening
            let unread = key % 2 == 0 ? UInt32(1) : 0
            _ = roster.update(slot) {
                $0.open(ChannelState(channel: .broadcast("system"), head: Seq(1), counters: Counters(unread: unread)), since: nil)
            }
        }
        let first = roster.counting(from: 0, atMost: 3)
        #expect(first.sessions.map(\.slot) == [0, 2, 6])
        let rest = roster.counting(from: first.next ?? 99, atMost: 3)
        #expect(rest.sessions.map(\.slot) == [8] && rest.next == nil)
        #expect(roster.counting(from: 10, atMost: 3).next == nil)
    }
}

/// A small seeded generator, so that a failing interleaving can be run again.
struct SplitMix {
    var state: UInt64
    mutating func next(below bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return (z ^ (z >> 31)) % bound
    }
}
