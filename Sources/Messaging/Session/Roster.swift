/// One session's slot in one channel: what it was sent, and the server's counters for it.
///
/// Invariant: every entry up to `position` was pushed to the session, or lies before the position it started from.
/// While `phase` is `live` nothing above `position` exists that the loop has seen.
/// More than twelve stored properties: together they are one cache line, which every delivery reads.
public struct Subscriber: Equatable, Sendable {
    public enum Phase: UInt8, Equatable, Sendable {
        /// Registered; where it starts is not known yet.
        case opening
        /// Reads pages from the store until it has caught up.
        case replaying
        /// Takes entries from the bus.
        case live
    }

    public enum Admission: Equatable, Sendable {
        /// Push it.
        case deliver
        /// Already pushed, or a page will bring it.
        case skip
        /// The entries between are missing: read them from the store.
        case replay
    }

    public let session: SessionID
    /// The loop's number for the user: an author's own entries do not count as unread.
    public let user: UInt32
    public private(set) var phase: Phase
    /// Counters have changed since the session was last told.
    public var isCountersStale = false
    /// A receipt was not sent because the client did not keep up.
    public var hasMissedReceipts = false
    public private(set) var position: Seq
    /// The newest entry that passed by while not live.
    public private(set) var wanted: Seq
    /// `counters` include every entry up to here.
    public private(set) var countedTo: Seq
    public private(set) var cursorVersion: UInt64
    public private(set) var counters: Counters
    // Last, in the word that the counters leave half empty: a subscriber is one cache line, and there are ten thousands.
    /// A page from `position` was ordered from the store and has not come yet. The position does not move meanwhile.
    private var isReading = false
    /// Events were missed before it was known where to start.
    private var isSuspect = false

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

    /// The store has agreed: until then the channel may be somebody else's, and nothing of it is told.
    public var isGranted: Bool { phase != .opening }

    /// The store told where the channel stands. `since` is where the client wants to go on; nil starts at the head.
    /// - Returns: true when pages must be read first; false when it is live at once.
    public mutating func open(_ state: ChannelState, since: Seq?) -> Bool {
        position = since ?? state.head
        adopt(state)
        isCountersStale = false
        let behind = isSuspect || max(state.head, wanted) > position
        isSuspect = false
        phase = behind ? .replaying : .live
        return behind
    }

    /// A client that asks again from an earlier position gets the entries again.
    public mutating func rewind(to since: Seq) {
        wanted = max(wanted, position)
        position = since
        phase = .replaying
        isReading = false
    }

    /// Events were missed: whatever is newer than `position` must be read, by a page that is ordered after this.
    public mutating func suspect() {
        switch phase {
        case .opening: isSuspect = true
        case .replaying, .live:
            phase = .replaying
            isReading = false
        }
    }

    /// The position to order the next page from; nil when none is wanted, or one is on its way.
    public mutating func startPage() -> Seq? {
        guard phase == .replaying, !isReading else { return nil }
        isReading = true
        return position
    }

    /// A page has come. False: it was ordered before a rewind, a loss of events or a new subscription, and would leave a hole.
    public mutating func takePage(from start: Seq) -> Bool {
        guard isReading, position == start else { return false }
        isReading = false
        return true
    }

    /// A committed entry passes by.
    public mutating func admit(_ seq: Seq, author: UInt32, isUrgent: Bool, isCongested: Bool) -> Admission {
        switch phase {
        case .opening, .replaying:
            wanted = max(wanted, seq)
            return .skip
        case .live:
            guard seq > position else { return .skip }
            guard seq == position.next, !isCongested else {
                wanted = max(wanted, seq)
                phase = .replaying
                return .replay
            }
            position = seq
            count(seq, author: author, isUrgent: isUrgent)
            return .deliver
        }
    }

    /// An entry of a page; false when it was already pushed.
    public mutating func admitReplayed(_ seq: Seq, author: UInt32, isUrgent: Bool) -> Bool {
        guard seq > position else { return false }
        position = seq
        count(seq, author: author, isUrgent: isUrgent)
        return true
    }

    /// A page ended. True: everything is there, the session is live now. False: read the next page.
    public mutating func finishPage(head: Seq, more: Bool) -> Bool {
        if more { return false }
        // Entries removed by retention leave holes at the start; nothing below the head is missing after a last page.
        position = max(position, head)
        guard wanted <= position else { return false }
        phase = .live
        return true
    }

    /// Takes over what the store computed in one snapshot. False when newer entries were counted since: ask again.
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

    private mutating func count(_ seq: Seq, author: UInt32, isUrgent: Bool) {
        guard seq > countedTo else { return }
        countedTo = seq
        guard author != user else { return }
        counters.unread &+= 1
        counters.unseen &+= 1
        if isUrgent { counters.urgent &+= 1 }
        isCountersStale = true
    }
}

/// The sessions of one loop that follow one channel. Slots never move, so a fan-out may be cut into slices
/// while sessions come and go: one that registers meanwhile reads the entry from the store.
public struct Roster: Sendable {
    public let channel: Channel
    /// When the next entry expires that may count as unread for somebody here.
    public var nextExpiry: Timestamp? { expiry == Self.never ? nil : expiry }
    private var expiry = never
    private static let never = Timestamp(milliseconds: .max)
    private var taken: UInt32 = 0
    /// At slot 0 while nobody else ever was: most rosters are inboxes with one session, which then needs no array.
    private var sole: Subscriber?
    private var slots: ContiguousArray<Subscriber?> = []
    private var free: [UInt32] = []

    public init(channel: Channel) { self.channel = channel }

    /// One past the last slot ever used.
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

    public mutating func note(expiry: Timestamp) {
        self.expiry = min(expiry, self.expiry)
    }

    /// True once when something has expired: everyone whose counters are not zero must be counted anew, and what the
    /// store then says about the next expiry be noted.
    public mutating func takeExpiry(upTo now: Timestamp) -> Bool {
        guard expiry != Self.never, expiry <= now else { return false }
        expiry = Self.never
        return true
    }

    /// Up to `limit` of those from `slot` on for whom something counts, and where to go on; nil at the end.
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

    /// Visits the subscribers in `slots` until `body` returns false; answers the first slot not visited.
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

    /// Changes a subscriber in its slot.
    public mutating func update<Result>(_ slot: Int, _ change: (inout Subscriber) -> Result) -> Result? {
        if sole != nil { return slot == 0 ? change(&sole!) : nil }
        guard slots.indices.contains(slot), slots[slot] != nil else { return nil }
        return change(&slots[slot]!)
    }
}
