public import Linux

/// One thread's loop over descriptors, timers, mailboxes and background work, a turn at a time.
///
/// Made anywhere, run on one thread; everything but `handle` belongs to that thread.
/// A turn: wait, dispatch what is ready, drain mailboxes, fire timers, one slice of each background work, then the turn-end hooks.
// @unchecked Sendable: made by one thread and handed to the thread that runs it, which alone uses all but `handle`.
public final class EventLoop: @unchecked Sendable {
    public typealias Readiness = Poller.Readiness

    /// Lets other threads wake or stop the loop.
    public let handle: LoopHandle
    public let name: String
    /// Taken once per turn.
    public private(set) var now = MonotonicInstant.now

    private struct Watch {
        var generation: UInt32 = 0
        var fd: Int32 = -1
        var body: ((Readiness) -> Void)?
    }

    private let poller: Poller
    private var watches: [Watch] = []
    private var freeWatches: [UInt32] = []
    private var timers: TimerWheel
    private var drains: [() -> Void] = []
    private var turnEnds: [() -> Void] = []
    private var slices: [() -> Bool] = []
    /// Descriptors of a `ConnectionTable`, dispatched without a closure each. Their tokens have the top bit set.
    private var sockets: ((UInt64, Readiness) -> Void)?

    static let socketToken: UInt64 = 1 << 63
    private static let wakeToken = UInt64.max

    public init(name: String) throws(SystemError) {
        self.name = name
        poller = try Poller()
        let wake = try WakeDescriptor()
        handle = LoopHandle(wake)
        timers = TimerWheel(now: MonotonicInstant.now)
        try poller.add(wake.descriptor, .readable, token: Self.wakeToken)
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
            try poller.add(fd, interest, token: token(id))
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
        poller.change(watches[Int(id.slot)].fd, interest, token: token(id))
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

    private func token(_ id: WatchID) -> UInt64 { UInt64(id.generation & 0x7FFF_FFFF) << 32 | UInt64(id.slot) }

    // MARK: Sockets of a ConnectionTable

    func dispatchSockets(_ body: @escaping (UInt64, Readiness) -> Void) { sockets = body }
    func addSocket(_ fd: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try poller.add(fd, interest, token: token | Self.socketToken)
    }
    func changeSocket(_ fd: Int32, _ interest: Readiness, token: UInt64) { poller.change(fd, interest, token: token | Self.socketToken) }
    func removeSocket(_ fd: Int32) { poller.remove(fd) }

    // MARK: Time

    /// Calls `body` once, at the earliest after `delay`; timers are kept in ticks of `TimerWheel.tick`.
    @discardableResult
    public func after(_ delay: Duration, _ body: @escaping () -> Void) -> TimerID { timers.add(now + delay, body) }

    public func cancel(_ id: TimerID) { timers.cancel(id) }

    // MARK: Other threads, other work

    /// Hands over what other threads posted, once per turn.
    public func receive<Message>(from mailbox: Mailbox<Message>, _ body: @escaping (_ batch: [Message]) -> Void) {
        drains.append {
            let batch = mailbox.takeAll()
            if !batch.isEmpty { body(batch) }
        }
    }

    /// A hook for the end of every turn.
    public func atTurnEnd(_ body: @escaping () -> Void) { turnEnds.append(body) }

    /// Background work: called once a turn until it answers false. Input is handled in between.
    public func slice(_ work: @escaping () -> Bool) { slices.append(work) }

    // MARK: Running

    /// Runs on the calling thread until `handle.stop()`.
    public func run() {
        now = .now
        while !handle.isStopped { turn() }
    }

    /// One turn; waits at most until the next timer, and not at all while there is background work.
    public func turn() {
        let wait: Int32 = slices.isEmpty ? timers.millisecondsToNext(now: .now) : 0
        var isWoken = false
        do throws(SystemError) {
            var isFirst = true
            try poller.wait(milliseconds: wait) { token, readiness in
                if isFirst {
                    isFirst = false
                    now = .now
                }
                if token == Self.wakeToken {
                    isWoken = true
                } else if token & Self.socketToken != 0 {
                    sockets?(token & ~Self.socketToken, readiness)
                } else {
                    dispatch(token, readiness)
                }
            }
        } catch {
            // epoll_wait fails on a closed descriptor only, which is ours.
            preconditionFailure("\(error)")
        }
        now = .now
        if isWoken { handle.wasWoken() }
        for drain in drains { drain() }
        for body in timers.takeDue(now: now) { body() }
        if !slices.isEmpty {
            let running = slices
            slices.removeAll(keepingCapacity: true)
            var unfinished: [() -> Bool] = []
            for work in running where work() { unfinished.append(work) }
            slices.insert(contentsOf: unfinished, at: 0)
        }
        for hook in turnEnds { hook() }
    }

    private func dispatch(_ token: UInt64, _ readiness: Readiness) {
        let slot = Int(token & 0xFFFF_FFFF)
        guard slot < watches.count, watches[slot].generation & 0x7FFF_FFFF == UInt32(truncatingIfNeeded: token >> 32) else { return }
        let body = watches[slot].body
        body?(readiness)
    }
}

/// A watched descriptor. A stale id (its watch ended, perhaps its slot reused) is ignored everywhere.
public struct WatchID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}
