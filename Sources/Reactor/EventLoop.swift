public import Linux

/// One thread's loop over descriptors, timers, mailboxes and background work, a turn at a time.
///
/// Made anywhere, run on one thread; everything but `handle` belongs to that thread.
/// A turn: wait, dispatch what is ready and send the answers, drain mailboxes, fire timers, one slice of each background work, the
/// turn-end hooks, and last the connections are settled: what the turn queued is sent, what it closed is closed.
/// Registrations carry a generation, so that an event fetched before its registration ended is ignored.
// @unchecked Sendable: made by one thread and handed to the thread that runs it, which alone uses all but `handle`.
public final class EventLoop: @unchecked Sendable {
    public typealias Readiness = Poller.Readiness

    /// Lets other threads wake or stop the loop.
    public let handle: LoopHandle
    public let name: String
    /// Taken once per turn.
    public private(set) var now = MonotonicInstant.now

    /// This loop asked another thread for something and waits for the answer, so it leaves the processor to others between the slices of
    /// background work.
    public var awaitsOthers: Bool {
        get { courtesy.awaits }
        set { courtesy.awaits = newValue }
    }
    private var courtesy = Courtesy()

    private struct Watch {
        var generation: UInt32 = 0
        var fd: Int32 = -1
        var body: ((Readiness) -> Void)?
    }

    private let poller: Poller
    private var watches: [Watch] = []
    private var freeWatches: [UInt32] = []
    private var timers: TimerQueue
    private var drains: [() -> Void] = []
    private var turnEnds: [() -> Void] = []
    private var slices: [() -> Bool] = []
    private var sources: [any EventSource] = []

    public init(name: String) throws(SystemError) {
        self.name = name
        poller = try Poller()
        let wake = try WakeDescriptor()
        handle = LoopHandle(wake)
        timers = TimerQueue(origin: now)
        try poller.addSignalled(wake.descriptor, token: EventToken.wake.rawValue)
    }

    // MARK: Descriptors

    /// Calls `body` whenever the descriptor is ready (level-triggered). The caller keeps owning the descriptor.
    public func watch(_ fd: Int32, _ interest: Readiness, _ body: @escaping (Readiness) -> Void) throws(SystemError) -> WatchID {
        let slot: UInt32
        if let reused = freeWatches.popLast() {
            slot = reused
        } else {
            slot = UInt32(truncatingIfNeeded: watches.count)
            watches.append(Watch())
        }
        let id = WatchID(slot: slot, generation: watches[Int(slot)].generation)
        do throws(SystemError) {
            try poller.add(fd, interest, token: EventToken(id).rawValue)
        } catch {
            freeWatches.append(slot)
            throw error
        }
        watches[Int(slot)].fd = fd
        watches[Int(slot)].body = body
        return id
    }

    public func change(_ id: WatchID, _ interest: Readiness) {
        guard isCurrent(id) else { return }
        poller.change(watches[Int(id.slot)].fd, interest, token: EventToken(id).rawValue)
    }

    /// Ends the watch; call it before the descriptor is closed.
    public func unwatch(_ id: WatchID) {
        guard isCurrent(id) else { return }
        poller.remove(watches[Int(id.slot)].fd)
        watches[Int(id.slot)] = Watch(generation: id.generation &+ 1)
        freeWatches.append(id.slot)
    }

    private func isCurrent(_ id: WatchID) -> Bool {
        Int(id.slot) < watches.count && watches[Int(id.slot)].generation == id.generation && watches[Int(id.slot)].body != nil
    }

    // MARK: Sources

    /// The mark in the event tokens of the next registered source.
    var nextSource: UInt8 { UInt8(sources.count + 1) }

    /// From now on the source gets its events and is called in every turn.
    func register(_ source: any EventSource) {
        precondition(sources.count < 255)
        sources.append(source)
    }

    func add(_ fd: Int32, _ interest: Readiness, _ token: EventToken) throws(SystemError) {
        try poller.add(fd, interest, token: token.rawValue)
    }
    func change(_ fd: Int32, _ interest: Readiness, _ token: EventToken) { poller.change(fd, interest, token: token.rawValue) }
    func remove(_ fd: Int32) { poller.remove(fd) }

    // MARK: Time

    /// Calls `body` once, at the earliest after `delay`, counted from `now`; at the latest a tick (10 ms) and a turn after that.
    @discardableResult
    public func after(_ delay: Duration, _ body: @escaping () -> Void) -> TimerID { timers.add(at: now + delay, body) }

    public func cancel(_ id: TimerID) { timers.cancel(id) }

    var pendingTimers: Int { timers.count }

    // MARK: Other threads, other work

    /// Hands over what other threads posted, as one batch per turn. The mailbox must wake this loop.
    public func receive<Message>(from mailbox: Mailbox<Message>, _ body: @escaping (_ batch: [Message]) -> Void) {
        precondition(mailbox.loop === handle, "a mailbox is drained by the loop it wakes")
        var batch: [Message] = []
        drains.append {
            mailbox.drain(into: &batch)
            if batch.isEmpty { return }
            body(batch)
            batch.removeAll(keepingCapacity: true)
        }
        handle.wake()
    }

    /// A hook for the end of every turn, before the connections are settled.
    public func atTurnEnd(_ body: @escaping () -> Void) { turnEnds.append(body) }

    /// Background work: called once a turn until it answers false. Input is handled in between.
    public func slice(_ work: @escaping () -> Bool) { slices.append(work) }

    // MARK: Running

    /// Runs on the calling thread until `handle.stop()`.
    public func run() {
        now = .now
        while !handle.isStopped { turn() }
        letGo()
    }

    /// Ends all registrations, which would otherwise form reference cycles with the loop. For a loop that makes no more turns.
    public func letGo() {
        sources = []
        watches = []
        freeWatches = []
        drains = []
        turnEnds = []
        slices = []
        timers = TimerQueue(origin: now)
    }

    /// One turn; waits at most until the next timer, and not at all while there is work left.
    public func turn() {
        let ready: Int
        do throws(SystemError) {
            ready = try poller.wait(milliseconds: pollTimeout())
        } catch {
            // epoll_wait fails on a closed descriptor only, which is ours.
            preconditionFailure("\(error)")
        }
        now = .now
        handle.heartbeat.stamp(now)
        for index in 0..<ready {
            let (token, readiness) = poller.event(index)
            dispatch(EventToken(rawValue: token), readiness)
        }
        for source in sources { source.heard() }
        // Must come before the mailboxes are read, see `rearm`.
        handle.rearm()
        for drain in drains { drain() }
        timers.collect(at: now)
        while let body = timers.takeNext() { body() }
        for source in sources { source.fireDeadlines() }
        runSlices()
        for hook in turnEnds { hook() }
        for source in sources { source.settle() }
        // The other threads may share this processor, and the kernel would let this thread use up its time slice before them. Only when
        // needed, because an unrelated process may take the rest of the slice.
        switch courtesy.act(isBusy: !slices.isEmpty, at: now) {
        case .goOn: break
        case .yield: Thread.yield()
        case .standAside: Thread.yield(for: Courtesy.aside)
        }
    }

    /// One of the answers that this loop waits for came.
    public func hearOthers() { courtesy.heard = true }

    /// The timeout of the poller in milliseconds, for the next heartbeat at the latest. Rounded up, because a loop that wakes too early must wake twice.
    private func pollTimeout() -> Int32 {
        if !slices.isEmpty { return 0 }
        var next = timers.nextInstant()
        for source in sources {
            if source.isUnsettled { return 0 }
            if let deadline = source.nextDeadline { next = min(next ?? deadline, deadline) }
        }
        let longest = Heartbeat.interval.wholeNanoseconds
        let wait = min(next.map { ($0 - .now).wholeNanoseconds } ?? longest, longest)
        return wait <= 0 ? 0 : Int32(clamping: (wait - 1) / 1_000_000 + 1)
    }

    private func runSlices() {
        if slices.isEmpty { return }
        var running: [() -> Bool] = []
        swap(&running, &slices)
        running.removeAll { work in !work() }
        // Work that the slices added is appended after them.
        slices.insert(contentsOf: running, at: 0)
    }

    private func dispatch(_ token: EventToken, _ readiness: Readiness) {
        let slot = Int(token.slot)
        if token.source > 0 {
            sources[Int(token.source) - 1].ready(token, readiness)
        } else if slot < watches.count, token.matches(watches[slot].generation) {
            let body = watches[slot].body
            body?(readiness)
        }
    }
}

/// An owner of descriptors on a loop that is called in each of its turns.
protocol EventSource: AnyObject {
    func ready(_ token: EventToken, _ readiness: Poller.Readiness)
    /// Called when all ready descriptors of the turn have been dispatched.
    func heard()
    /// Whether there is something to settle even when no event arrives.
    var isUnsettled: Bool { get }
    /// When it needs a turn even when no event arrives.
    var nextDeadline: MonotonicInstant? { get }
    func fireDeadlines()
    /// Called last in every turn.
    func settle()
}

/// The value that the kernel returns with an event: the source, its registration, and the low bits of the generation.
/// Stale events live no longer than one wait's batch, so 24 bits tell them apart.
struct EventToken: RawRepresentable {
    let rawValue: UInt64
    static let wake = EventToken(source: 0, slot: .max, generation: 0)

    init(rawValue: UInt64) { self.rawValue = rawValue }
    init(source: UInt8, slot: UInt32, generation: UInt32) {
        rawValue = UInt64(source) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(slot)
    }
    init(_ id: WatchID) { self.init(source: 0, slot: id.slot, generation: id.generation) }

    var source: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56) }
    var slot: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
    func matches(_ generation: UInt32) -> Bool { UInt32(truncatingIfNeeded: rawValue >> 32) & 0xFF_FFFF == generation & 0xFF_FFFF }
}

/// A watched descriptor. A stale id (its watch ended, perhaps its slot reused) is ignored everywhere.
public struct WatchID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}
