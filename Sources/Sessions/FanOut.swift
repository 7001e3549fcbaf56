import Linux
import Messaging
import Pacing
import Reactor

/// The rosters of one loop and the entries on their way to the sessions in them.
///
/// A broadcast to ten thousand sockets takes tens of milliseconds: it is cut into slices, between which the loop
/// handles input. Entries of one channel that arrived together go out together, so each socket gets one write.
struct FanOut: ~Copyable {
    /// Sockets written to per slice, each with all entries of the job: about 1 ms of kernel time. An ack waits for two slices at most.
    static let sliceDeliveries = 128
    /// Bytes of entries that may wait for their slices; beyond it they are read from the store.
    static let waitingBytes = 32 << 20
    /// After a run of this many bytes to one session, congestion is checked again.
    static let trustedBytes = 64 << 10

    struct Item {
        package let seq: Seq
        /// The author's number on this loop, so that nobody's own message counts as unread for them.
        package let author: UInt32
        package let weight: EntryWeight
        package let frame: SharedFrame
        /// Nil: nobody has blocked the author.
        var mask: Mask?
    }

    /// The users who get a placeholder instead of an entry, by their numbers on this loop.
    struct Mask {
        let users: [UInt32]
        let placeholder: SharedFrame
    }

    private struct Job {
        /// The fields read for each session. The frames stand apart: reading one retains and releases it.
        struct Head {
            let seq: Seq
            let author: UInt32
            let weight: EntryWeight
            let bytes: Int
            /// The position of its mask in `masks`, and of the placeholder behind the frames of the entries; -1: none.
            let mask: Int32
        }

        let roster: Int
        let channel: Channel
        let heads: [Head]
        /// Those of the entries, then the placeholders.
        let frames: [SharedFrame]
        let masks: [[UInt32]]
        let bytes: Int
        var next = 0
        /// Counters go out with the entries: they were not told for a while.
        var tellsCounters = false

        init(_ items: [Item], in channel: Channel, roster: Int) {
            self.roster = roster
            self.channel = channel
            var masks: [Mask] = []
            heads = items.map { item in
                if let mask = item.mask { masks.append(mask) }
                return Head(
                    seq: item.seq, author: item.author, weight: item.weight, bytes: item.frame.json.count,
                    mask: item.mask == nil ? -1 : Int32(truncatingIfNeeded: masks.count - 1))
            }
            frames = items.map(\.frame) + masks.map(\.placeholder)
            self.masks = masks.map(\.users)
            bytes = heads.reduce(0) { $0 + $1.bytes }
        }
    }

    private(set) var rosters: ContiguousArray<Roster?> = []
    /// When the counters of each roster's channel were last told with entries, in milliseconds that wrap.
    private var toldAt: ContiguousArray<UInt32> = []
    private var index: [Channel: UInt32] = [:]
    private var free: [Int] = []
    private var jobs: [Job] = []
    private var firstJob = 0
    private var waiting = 0
    private(set) var subscriptions = 0
    /// Not later than the earliest `nextExpiry` of all rosters; nil: none has one.
    private(set) var earliestExpiry: Timestamp?

    var isIdle: Bool { firstJob == jobs.count }

    func roster(of channel: Channel) -> Int? { index[channel].map { Int($0) } }

    // MARK: Membership

    mutating func join(_ channel: Channel, _ subscriber: Subscriber) -> (roster: Int, slot: Int) {
        let roster: Int
        if let known = self.roster(of: channel) {
            roster = known
        } else {
            roster = free.popLast() ?? rosters.count
            if roster == rosters.count {
                rosters.append(nil)
                toldAt.append(0)
            }
            rosters[roster] = Roster(channel: channel)
            index[channel] = UInt32(truncatingIfNeeded: roster)
        }
        subscriptions += 1
        return (roster, rosters[roster]?.add(subscriber) ?? 0)
    }

    mutating func leave(_ subscription: Session.Subscription) {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster), rosters[roster]?.channel == subscription.channel else { return }
        rosters[roster]?.remove(at: Int(subscription.slot))
        subscriptions -= 1
        if rosters[roster]?.isEmpty == true {
            rosters[roster] = nil
            index[subscription.channel] = nil
            free.append(roster)
        }
    }

    /// Whether the store has agreed to it.
    func isGranted(_ subscription: Session.Subscription) -> Bool { subscriber(subscription)?.isGranted ?? false }

    /// Of a conversation: it has more than two members.
    func isGroup(_ subscription: Session.Subscription) -> Bool {
        let roster = Int(subscription.roster)
        return rosters.indices.contains(roster) ? rosters[roster]?.isGroup ?? false : false
    }

    mutating func note(_ state: ChannelState) {
        if state.channel.kind == .conversation, let roster = roster(of: state.channel) { rosters[roster]?.isGroup = state.isGroup }
    }

    /// What was sent in it; nil while the store has not agreed to it.
    func grantedPosition(_ subscription: Session.Subscription) -> Seq? {
        guard let subscriber = subscriber(subscription), subscriber.isGranted else { return nil }
        return subscriber.position
    }

    func subscriber(_ subscription: Session.Subscription) -> Subscriber? {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster) else { return nil }
        return rosters[roster]?.subscriber(at: Int(subscription.slot))
    }

    mutating func update<Result>(_ subscription: Session.Subscription, _ change: (inout Subscriber) -> Result) -> Result? {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster) else { return nil }
        return rosters[roster]?.update(Int(subscription.slot), change) ?? nil
    }

    /// Visits the subscribers of a channel in a range of slots.
    mutating func visit(_ channel: Channel, _ slots: Range<Int> = 0..<Int.max, _ body: (inout Subscriber) -> Void) {
        guard let roster = roster(of: channel) else { return }
        _ = rosters[roster]?.visit(slots) { _, subscriber in
            body(&subscriber)
            return true
        }
    }

    /// The channel has entries up to `last`.
    /// - Returns: the newest of those before that were brought to the sessions that follow it; nil when none needs to be read for them.
    mutating func newest(in channel: Channel, before last: Seq) -> Seq? {
        guard let roster = roster(of: channel) else { return nil }
        if let known = rosters[roster]?.newest, known > .zero { return known < last ? known : nil }
        // Nothing came yet since somebody follows it. Sessions that are not live read it themselves.
        var lowest = last
        visit(channel) { subscriber in
            subscriber.want(last)
            if subscriber.phase == .live { lowest = min(subscriber.position, lowest) }
        }
        return lowest < last ? lowest : nil
    }

    /// Whether entries are missing between those that came in the channel and these.
    func lacksEntries(before items: [Item], in channel: Channel) -> Bool {
        guard let roster = roster(of: channel), let newest = rosters[roster]?.newest, newest > .zero, let first = items.first else {
            return false
        }
        return first.seq > newest.next
    }

    // MARK: Expiry

    /// False when nobody here follows the channel.
    mutating func note(expiry: Timestamp, in channel: Channel) -> Bool {
        guard let roster = roster(of: channel) else { return false }
        rosters[roster]?.note(expiry: expiry)
        earliestExpiry = min(expiry, earliestExpiry ?? expiry)
        return true
    }

    /// Channels in which something has expired. Told once.
    mutating func takeExpired(upTo now: Timestamp) -> [Channel] {
        guard let earliestExpiry, earliestExpiry <= now else { return [] }
        self.earliestExpiry = nil
        var expired: [Channel] = []
        for i in rosters.indices {
            if rosters[i]?.takeExpiry(upTo: now) == true, let channel = rosters[i]?.channel { expired.append(channel) }
            if let next = rosters[i]?.nextExpiry { self.earliestExpiry = min(next, self.earliestExpiry ?? next) }
        }
        return expired
    }

    mutating func counting(in channel: Channel, from slot: Int, atMost limit: Int) -> (sessions: [SessionID], next: Int?) {
        guard let roster = roster(of: channel) else { return ([], nil) }
        return rosters[roster]?.counting(from: slot, atMost: limit) ?? ([], nil)
    }

    // MARK: Delivery

    /// Queues entries of one channel for everyone who follows it here. False when too much is waiting; nothing is queued then.
    mutating func enqueue(_ channel: Channel, _ items: [Item]) -> Bool {
        guard let roster = roster(of: channel) else { return true }
        let job = Job(items, in: channel, roster: roster)
        guard isIdle || waiting + job.bytes <= Self.waitingBytes else { return false }
        if let last = items.last { rosters[roster]?.note(newest: last.seq) }
        waiting += job.bytes
        jobs.append(job)
        return true
    }

    /// What one slice leaves to its caller.
    struct Outcome {
        /// Sessions with a gap: to be read from the store.
        package var behind: [(session: SessionID, channel: Channel)] = []
        /// Sessions to be told their counters in this turn, so that they leave in one write with the entries.
        package var told: [SessionID] = []
        /// Channels whose counters go out with their entries from now on.
        var telling: [Channel] = []
        /// Channels with counters that changed and are to be told later.
        package var counted: [Channel] = []
        package var deliveries = 0
    }

    /// Visits up to `sliceDeliveries` subscribers. Call again while not idle.
    mutating func runSlice(_ table: SessionTable, _ transports: [any Transport], at now: MonotonicInstant) -> Outcome {
        var outcome = Outcome()
        while firstJob < jobs.count, outcome.deliveries < Self.sliceDeliveries {
            if jobs[firstJob].next == 0, isDueToTell(jobs[firstJob], at: now) {
                jobs[firstJob].tellsCounters = true
                outcome.telling.append(jobs[firstJob].channel)
            }
            let job = jobs[firstJob]
            guard rosters[job.roster]?.channel == job.channel, let end = rosters[job.roster]?.end else {
                finishJob()
                continue
            }
            let next = deliver(job, upTo: end, table, transports, &outcome)
            if next >= end {
                if !job.tellsCounters { outcome.counted.append(job.channel) }
                finishJob()
            } else {
                jobs[firstJob].next = next
            }
        }
        return outcome
    }

    /// Whether the counters of the job's channel were told so long ago that they go out with its entries. Asked once for each job.
    private mutating func isDueToTell(_ job: Job, at now: MonotonicInstant) -> Bool {
        let milliseconds = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000)
        let pause = CounterPushes.pause(in: job.channel.kind).wholeMilliseconds
        guard milliseconds &- toldAt[job.roster] >= UInt32(truncatingIfNeeded: pause) else { return false }
        toldAt[job.roster] = milliseconds
        return true
    }

    private mutating func deliver(
        _ job: Job, upTo end: Int, _ table: SessionTable, _ transports: [any Transport], _ outcome: inout Outcome
    ) -> Int {
        // Staged frames are valid in this turn only. Most slices need one kind of encoding, few more than two.
        var kinds: [Route] = []
        var staged: [StagedFrame] = []
        var current = 0
        var budget = Self.sliceDeliveries - outcome.deliveries
        var deliveries = 0
        var behind: [SessionID] = []
        var told: [SessionID] = []
        let heads = job.heads
        let frames = job.frames.count
        // Only then the bytes are added up for each delivery.
        let isLong = job.bytes > Self.trustedBytes
        let next =
            rosters[job.roster]?.visit(job.next..<end) { _, subscriber in
                let route = table.route(subscriber.session)
                let transport = transports[Int(route.transport)]
                if kinds.isEmpty || kinds[current].encoding != route.encoding || kinds[current].transport != route.transport {
                    if let known = kinds.firstIndex(where: { $0.encoding == route.encoding && $0.transport == route.transport }) {
                        current = known
                    } else {
                        current = kinds.count
                        kinds.append(route)
                        staged.append(contentsOf: job.frames.map { transport.stage($0, encoding: route.encoding) })
                    }
                }
                var isCongested = transport.isCongested(route.address)
                var unchecked = 0
                let before = deliveries
                for i in heads.indices {
                    let head = heads[i]
                    let isHidden = head.mask >= 0 && job.masks[Int(head.mask)].contains(subscriber.user)
                    let weight = isHidden ? .none : head.weight
                    switch subscriber.admit(head.seq, author: head.author, weight: weight, isCongested: isCongested) {
                    case .deliver:
                        let frame = isHidden ? heads.count + Int(head.mask) : i
                        transport.send(staged[current * frames + frame], to: route.address)
                        deliveries += 1
                        guard isLong else { continue }
                        unchecked += head.bytes
                        if unchecked >= Self.trustedBytes {
                            unchecked = 0
                            isCongested = transport.isCongested(route.address)
                        }
                    case .skip: continue
                    case .replay: behind.append(subscriber.session)
                    }
                }
                if job.tellsCounters, subscriber.isCountersStale, deliveries > before { told.append(subscriber.session) }
                budget -= 1
                return budget > 0
            } ?? end
        outcome.deliveries += max(deliveries, 1)
        outcome.told.append(contentsOf: told)
        for session in behind { outcome.behind.append((session, job.channel)) }
        return next
    }

    private mutating func finishJob() {
        waiting -= jobs[firstJob].bytes
        firstJob += 1
        if firstJob == jobs.count {
            jobs.removeAll(keepingCapacity: jobs.count < 1_024)
            firstJob = 0
        } else if firstJob > 4_096 {
            jobs.removeFirst(firstJob)
            firstJob = 0
        }
    }
}
