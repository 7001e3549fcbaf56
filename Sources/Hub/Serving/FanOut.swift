import Messaging
import Reactor

/// The rosters of one loop and the entries on their way to the sessions in them.
///
/// A broadcast to ten thousand sockets takes tens of milliseconds: it is cut into slices, between which the loop
/// handles input. Entries of one channel that arrived together go out together, so each socket gets one write.
struct FanOut {
    /// Sends per slice: about 1 ms of kernel time, which is what an ack waits for, twice at most.
    static let sliceDeliveries = 128
    /// Bytes of entries that may wait for their slices; beyond it they are read from the store.
    static let waitingBytes = 32 << 20
    /// After so many bytes for one session it is looked again whether it takes them: a run so long was sent.
    static let trustedBytes = 64 << 10

    struct Item {
        let seq: Seq
        /// The author's number on this loop, so that nobody's own message counts as unread for them.
        let author: UInt32
        let isUrgent: Bool
        let frame: SharedFrame
    }

    private struct Job {
        let roster: Int
        let channel: Channel
        let items: [Item]
        let bytes: Int
        var next = 0
    }

    private(set) var rosters: ContiguousArray<Roster?> = []
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

    mutating func join(_ channel: Channel, _ subscriber: Subscriber) -> (roster: Int, place: Int) {
        let roster: Int
        if let known = self.roster(of: channel) {
            roster = known
        } else {
            roster = free.popLast() ?? rosters.count
            if roster == rosters.count { rosters.append(nil) }
            rosters[roster] = Roster(channel: channel)
            index[channel] = UInt32(truncatingIfNeeded: roster)
        }
        subscriptions += 1
        return (roster, rosters[roster]?.add(subscriber) ?? 0)
    }

    mutating func leave(_ subscription: Session.Subscription) {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster), rosters[roster]?.channel == subscription.channel else { return }
        rosters[roster]?.remove(at: Int(subscription.place))
        subscriptions -= 1
        if rosters[roster]?.isEmpty == true {
            rosters[roster] = nil
            index[subscription.channel] = nil
            free.append(roster)
        }
    }

    /// Whether the store has agreed to it.
    func isGranted(_ subscription: Session.Subscription) -> Bool { subscriber(subscription)?.isGranted ?? false }

    func subscriber(_ subscription: Session.Subscription) -> Subscriber? {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster) else { return nil }
        return rosters[roster]?.subscriber(at: Int(subscription.place))
    }

    mutating func update<Result>(_ subscription: Session.Subscription, _ change: (inout Subscriber) -> Result) -> Result? {
        let roster = Int(subscription.roster)
        guard rosters.indices.contains(roster) else { return nil }
        return rosters[roster]?.update(Int(subscription.place), change) ?? nil
    }

    /// Visits the subscribers of a channel in a range of places.
    mutating func visit(_ channel: Channel, _ places: Range<Int> = 0..<Int.max, _ body: (inout Subscriber) -> Void) {
        guard let roster = roster(of: channel) else { return }
        _ = rosters[roster]?.visit(places) { _, subscriber in
            body(&subscriber)
            return true
        }
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

    mutating func counting(in channel: Channel, from place: Int, atMost limit: Int) -> (keys: [SessionKey], next: Int?) {
        guard let roster = roster(of: channel) else { return ([], nil) }
        return rosters[roster]?.counting(from: place, atMost: limit) ?? ([], nil)
    }

    // MARK: Delivery

    /// Queues entries of one channel for everyone who follows it here. False when too much is waiting; nothing is queued then.
    mutating func enqueue(_ channel: Channel, _ items: [Item]) -> Bool {
        guard let roster = roster(of: channel) else { return true }
        let bytes = items.reduce(0) { $0 + $1.frame.json.count }
        guard isIdle || waiting + bytes <= Self.waitingBytes else { return false }
        waiting += bytes
        jobs.append(Job(roster: roster, channel: channel, items: items, bytes: bytes))
        return true
    }

    /// What one slice leaves to its caller.
    struct Outcome {
        /// Sessions with a gap: to be read from the store.
        var behind: [(key: SessionKey, channel: Channel)] = []
        /// Rosters with counters that changed.
        var counted: [Channel] = []
        var deliveries = 0
    }

    /// Sends up to `sliceDeliveries` frames. Call again while not idle.
    mutating func runSlice(_ outlet: any SessionOutlet) -> Outcome {
        var outcome = Outcome()
        while firstJob < jobs.count, outcome.deliveries < Self.sliceDeliveries {
            let job = jobs[firstJob]
            guard rosters[job.roster]?.channel == job.channel, let end = rosters[job.roster]?.end else {
                finishJob()
                continue
            }
            let next = deliver(job, upTo: end, outlet, &outcome)
            if next >= end {
                outcome.counted.append(job.channel)
                finishJob()
            } else {
                jobs[firstJob].next = next
            }
        }
        return outcome
    }

    private mutating func deliver(_ job: Job, upTo end: Int, _ outlet: any SessionOutlet, _ outcome: inout Outcome) -> Int {
        // Staged frames are good for this turn only; most slices need one format, few more than two.
        var formats: [UInt8] = []
        var staged: [[StagedFrame]] = []
        var current = 0
        var budget = Self.sliceDeliveries - outcome.deliveries
        var deliveries = 0
        var behind: [SessionKey] = []
        // Almost never: then nothing is added up for each delivery.
        let isLong = job.bytes > Self.trustedBytes
        let next =
            rosters[job.roster]?.visit(job.next..<end) { _, subscriber in
                if formats.isEmpty || formats[current] != subscriber.format {
                    if let known = formats.firstIndex(of: subscriber.format) {
                        current = known
                    } else {
                        current = formats.count
                        formats.append(subscriber.format)
                        staged.append(job.items.map { outlet.stage($0.frame, format: subscriber.format) })
                    }
                }
                var isCongested = outlet.isCongested(subscriber.key)
                var unasked = 0
                for i in job.items.indices {
                    let item = job.items[i]
                    switch subscriber.admit(item.seq, author: item.author, isUrgent: item.isUrgent, isCongested: isCongested) {
                    case .deliver:
                        outlet.send(staged[current][i], to: subscriber.key)
                        deliveries += 1
                        guard isLong else { continue }
                        unasked += item.frame.json.count
                        if unasked >= Self.trustedBytes {
                            unasked = 0
                            isCongested = outlet.isCongested(subscriber.key)
                        }
                    case .skip: continue
                    case .replay: behind.append(subscriber.key)
                    }
                }
                budget -= 1
                return budget > 0
            } ?? end
        outcome.deliveries += max(deliveries, 1)
        for key in behind { outcome.behind.append((key, job.channel)) }
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
