/// The state of one session in one channel: the newest entry it was sent and its counters.
///
/// Invariant: every entry up to `position` was pushed to the session, or precedes the position the session started from.
/// While `phase` is `live`, the loop has seen no entry above `position`.
/// More than twelve stored properties: together they fill one cache line, which every delivery reads.
public struct Subscriber: Equatable, Sendable {
    public enum Phase: UInt8, Equatable, Sendable {
        /// The session is registered; the store has not answered with the start position yet.
        case opening
        /// The session reads pages from the store until it has caught up.
        case replaying
        /// The session takes entries from the bus.
        case live
    }

    /// What an operator's switch does to the entries.
    public enum Hold: UInt8, Equatable, Sendable {
        case none
        /// Entries stay in the store.
        case held
        /// The session may read what has gathered until it has caught up; then it is held again.
        case turn
    }

    public enum Admission: Equatable, Sendable {
        /// The loop pushes the entry.
        case deliver
        /// The entry was pushed already, or a page will contain it.
        case skip
        /// Entries between `position` and this one are missing; the loop reads them from the store.
        case replay
    }

    public let session: SessionID
    /// The loop's number for the user. It identifies the author's own entries, which do not count as unread.
    public let user: UInt32
    public private(set) var phase: Phase
    /// The counters have changed since the client last received them.
    public var isCountersStale = false
    /// A receipt was not sent because the client did not keep up.
    public var hasMissedReceipts = false
    public private(set) var position: Seq
    /// The newest entry that the bus brought while the session was not live.
    public private(set) var wanted: Seq
    /// `counters` include every entry up to here.
    public private(set) var countedTo: Seq
    public private(set) var cursorVersion: UInt64
    public private(set) var counters: Counters
    // Declared last so that the three share the padding of `counters`: a subscriber must fit one cache line.
    /// The session has requested the page after `position` from the store. `position` does not change until the page arrives.
    private var isReading = false
    /// The bus lost events while the session was `opening`.
    private var isSuspect = false
    public private(set) var hold = Hold.none

    public init(session: SessionID, user: UInt32) {
        self.session = session
        self.user = user
        phase = .opening
        position = .zero
        wanted = .zero
        countedTo = .zero
        cursorVersion = 0
        counters = Counters()
    }

    public var version: UInt64 { countedTo.rawValue &+ cursorVersion }

    /// The store has confirmed the user's right to the channel. Before that the client receives nothing of the channel.
    public var isGranted: Bool { phase != .opening }

    /// Takes the channel's state from the store. `since` is the newest entry the client has; nil starts at the head.
    /// - Returns: true when the session must first read pages; false when it is live at once.
    public mutating func open(_ state: ChannelState, since: Seq?) -> Bool {
        position = since ?? state.head
        adopt(state)
        isCountersStale = false
        let behind = isSuspect || max(state.head, wanted) > position
        isSuspect = false
        phase = behind ? .replaying : .live
        return behind
    }

    /// The client subscribes again from an earlier position, so it receives the entries after `since` again.
    public mutating func rewind(to since: Seq) {
        wanted = max(wanted, position)
        position = since
        phase = .replaying
        isReading = false
    }

    /// The bus lost events, so entries newer than `position` must come from a page. A page requested earlier may lack them.
    public mutating func suspect() {
        switch phase {
        case .opening: isSuspect = true
        case .replaying, .live:
            phase = .replaying
            isReading = false
        }
    }

    /// - Returns: true when pages are to be read now.
    public mutating func set(_ hold: Hold) -> Bool {
        self.hold = hold == .turn && phase == .live ? .held : hold
        return self.hold != .held && phase == .replaying
    }

    /// The position after which the next page starts; nil when no page is needed, one is in flight, or the entries are held.
    public mutating func startPage() -> Seq? {
        guard phase == .replaying, !isReading, hold != .held else { return nil }
        isReading = true
        return position
    }

    /// Takes a page. False when it was requested before a rewind, a loss of events or a new subscription, because it would leave a gap; and
    /// when the entries are held since.
    public mutating func takePage(from start: Seq) -> Bool {
        guard isReading, position == start else { return false }
        isReading = false
        return hold != .held
    }

    /// Judges a committed entry from the bus.
    public mutating func admit(_ seq: Seq, author: UInt32, weight: EntryWeight, isCongested: Bool) -> Admission {
        switch phase {
        case .opening, .replaying:
            wanted = max(wanted, seq)
            return .skip
        case .live:
            guard seq > position else { return .skip }
            guard seq == position.next, !isCongested, hold == .none else {
                wanted = max(wanted, seq)
                phase = .replaying
                return .replay
            }
            position = seq
            count(seq, author: author, weight: weight)
            return .deliver
        }
    }

    /// There is an entry up to this one, which a page that is still to be read will have.
    public mutating func want(_ seq: Seq) {
        if phase != .live { wanted = max(wanted, seq) }
    }

    /// Judges an entry of a page; false when it was pushed already.
    public mutating func admitReplayed(_ seq: Seq, author: UInt32, weight: EntryWeight) -> Bool {
        guard seq > position else { return false }
        position = seq
        count(seq, author: author, weight: weight)
        return true
    }

    /// Ends a page. True when the session is live now; false when it needs the next page.
    public mutating func finishPage(head: Seq, more: Bool) -> Bool {
        if more { return false }
        // The last page may end below the head, because retention removes old entries.
        position = max(position, head)
        guard wanted <= position else { return false }
        phase = .live
        if hold == .turn { hold = .held }
        return true
    }

    /// Adopts the counters of a snapshot. False when the session has counted newer entries since: the caller requests a new snapshot.
    @discardableResult
    public mutating func adopt(_ state: ChannelState) -> Bool {
        guard state.cursorVersion >= cursorVersion else { return true }
        guard state.head >= countedTo else { return false }
        countedTo = state.head
        cursorVersion = state.cursorVersion
        if counters != state.counters {
            counters = state.counters
            isCountersStale = true
        }
        return true
    }

    private mutating func count(_ seq: Seq, author: UInt32, weight: EntryWeight) {
        guard seq > countedTo else { return }
        countedTo = seq
        guard author != user, weight != .none else { return }
        counters.unread &+= 1
        counters.unseen &+= 1
        if weight == .urgent { counters.urgent &+= 1 }
        isCountersStale = true
    }
}

/// The sessions of one loop that follow one channel. A subscriber keeps its slot, so a fan-out may pause between slices while sessions
/// join and leave. A session that joins during the fan-out reads the entry from the store.
public struct Roster: Sendable {
    public let channel: Channel
    /// The earliest expiry of the entries that may count as unread for a subscriber of this roster.
    public var nextExpiry: Timestamp? { expiry == Self.never ? nil : expiry }
    private var expiry = never
    private static let never = Timestamp(milliseconds: .max)
    /// The newest entry that was brought to the sessions; zero: none yet.
    public private(set) var newest = Seq.zero
    private var taken: UInt32 = 0
    /// Of a conversation: it has more than two members. Shares the padding of `taken`.
    public var isGroup = false
    /// The subscriber at slot 0 while it is the only one there ever was. Most rosters are inboxes with one session, which need no array.
    private var sole: Subscriber?
    private var slots: ContiguousArray<Subscriber?> = []
    private var free: [UInt32] = []

    public init(channel: Channel) { self.channel = channel }

    /// The index after the last slot ever used.
    public var end: Int { sole == nil ? slots.count : 1 }
    public var count: Int { Int(taken) }
    public var isEmpty: Bool { taken == 0 }

    public mutating func add(_ subscriber: Subscriber) -> Int {
        taken += 1
        if let slot = free.popLast() {
            slots[Int(slot)] = subscriber
            return Int(slot)
        }
        if taken == 1, slots.isEmpty {
            sole = subscriber
            return 0
        }
        if let first = sole {
            slots.append(first)
            sole = nil
        }
        slots.append(subscriber)
        return slots.count - 1
    }

    public mutating func remove(at slot: Int) {
        if sole != nil, slot == 0 {
            sole = nil
            taken = 0
            return
        }
        guard slots.indices.contains(slot), slots[slot] != nil else { return }
        slots[slot] = nil
        taken -= 1
        free.append(UInt32(truncatingIfNeeded: slot))
    }

    public mutating func note(newest seq: Seq) { newest = max(newest, seq) }

    public mutating func note(expiry: Timestamp) {
        self.expiry = min(expiry, self.expiry)
    }

    /// True once after an entry has expired. The caller then recounts every subscriber with nonzero counters and passes the store's next
    /// expiry to `note(expiry:)`.
    public mutating func takeExpiry(upTo now: Timestamp) -> Bool {
        guard expiry != Self.never, expiry <= now else { return false }
        expiry = Self.never
        return true
    }

    /// At most `limit` sessions with unread entries, from `slot` on, and the slot at which to continue; nil at the end.
    public mutating func counting(from slot: Int, atMost limit: Int) -> (sessions: [SessionID], next: Int?) {
        var sessions: [SessionID] = []
        let next = visit(slot..<end) { _, subscriber in
            if subscriber.phase != .opening, subscriber.counters.unread > 0 { sessions.append(subscriber.session) }
            return sessions.count < limit
        }
        return (sessions, next < end ? next : nil)
    }

    public func subscriber(at slot: Int) -> Subscriber? {
        if sole != nil { return slot == 0 ? sole : nil }
        return slots.indices.contains(slot) ? slots[slot] : nil
    }

    /// Visits the subscribers in `slots` until `body` returns false. Returns the first slot not visited.
    public mutating func visit(_ slots: Range<Int>, _ body: (Int, inout Subscriber) -> Bool) -> Int {
        if sole != nil {
            guard slots.contains(0) else { return slots.lowerBound }
            _ = body(0, &sole!)
            return 1
        }
        var slot = slots.lowerBound
        let end = min(slots.upperBound, self.slots.count)
        while slot < end {
            if self.slots[slot] != nil {
                let goesOn = body(slot, &self.slots[slot]!)
                if !goesOn { return slot + 1 }
            }
            slot += 1
        }
        return slot
    }

    public mutating func update<Result>(_ slot: Int, _ change: (inout Subscriber) -> Result) -> Result? {
        if sole != nil { return slot == 0 ? change(&sole!) : nil }
        guard slots.indices.contains(slot), slots[slot] != nil else { return nil }
        return change(&slots[slot]!)
    }
}
