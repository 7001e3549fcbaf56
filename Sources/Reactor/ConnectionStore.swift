import Bytes
import Linux

/// The records of one loop's connections and everything they own. Never calls the driver.
///
/// Invariants: a record's run belongs to this turn, and none is left after the turn is settled; a record has a backlog exactly while
/// it awaits writability; a slot is reused only after `release`.
// A struct in one property of the table: a call from outside then costs one exclusivity check, not one for every field it touches
// (measured: 65 ns against 25 ns for a queued frame).
/// More than twelve stored properties: tables that one call changes together, for which Swift checks exclusive access once.
struct ConnectionStore: ~Copyable {
    let limits: ConnectionLimits
    let loop: EventLoop
    let faults: SocketFaults?
    /// Identifies this table in the loop's event tokens.
    let source: UInt8
    let clock: TickClock

    var statistics = ConnectionStatistics()
    /// Open connections, including those still closing.
    private(set) var count = 0
    /// Those that are not closed at the end of this turn.
    var living: Int { count - doomed.count }
    var records: ContiguousArray<ConnectionRecord> = []
    private var freeSlots: [UInt32] = []
    var outbox = Outbox()
    /// Connections with frames queued in this turn.
    var dirty: ContiguousArray<UInt32> = []
    /// nil: every send is a system call of its own.
    var ring: SendRing?
    private(set) var ringFailure: SystemError?
    /// Fewer sends than this are made one by one.
    var ringMinimum = 3
    /// The slot and the run of each send in the ring.
    var together: ContiguousArray<(slot: UInt32, run: Int32)> = []
    var backlogs: ContiguousArray<Backlog> = []
    var freeBacklogs: [Int32] = []
    /// Connections whose driver must get `drained`.
    var drained: [ConnectionID] = []
    /// Connections to end their sending side once this turn's frames are out.
    var closings: [UInt32] = []
    var doomed: [(slot: UInt32, cause: CloseCause)] = []
    private var deadlines = TimerWheel(buckets: 2_048)

    init(limits: ConnectionLimits, loop: EventLoop, faults: SocketFaults?, source: UInt8) {
        self.limits = limits
        self.loop = loop
        self.faults = faults
        self.source = source
        clock = TickClock(origin: loop.now)
        guard limits.sendsTogether else { return }
        do throws(SystemError) { ring = try SendRing() } catch { ringFailure = error }
    }

    // MARK: Slots

    func token(_ slot: Int) -> EventToken {
        EventToken(source: source, slot: UInt32(truncatingIfNeeded: slot), generation: records[slot].generation)
    }

    func id(_ slot: Int) -> ConnectionID {
        ConnectionID(slot: UInt32(truncatingIfNeeded: slot), generation: records[slot].generation)
    }

    /// The slot of a connection the driver still speaks to; nil for stale ids and those it closed.
    @inline(__always)
    func served(_ id: ConnectionID) -> Int? {
        let slot = Int(id.slot)
        guard slot < records.count, records[slot].generation == id.generation, records[slot].isServed else { return nil }
        return slot
    }

    /// nil when the socket could not be watched.
    mutating func open(_ fd: Int32) -> ConnectionID? {
        let slot: Int
        if let reused = freeSlots.popLast() {
            slot = Int(reused)
        } else {
            slot = records.count
            records.append(ConnectionRecord())
            deadlines.reserve(records.count)
        }
        do throws(SystemError) {
            try loop.add(fd, .readable, token(slot))
        } catch {
            statistics.acceptFailures &+= 1
            freeSlots.append(UInt32(truncatingIfNeeded: slot))
            return nil
        }
        records[slot].fd = fd
        records[slot].flags = .open
        count += 1
        statistics.accepted &+= 1
        return id(slot)
    }

    /// Closes the socket. The slot stays in use until `release`, so connections opened meanwhile get other slots.
    mutating func closeSocket(_ slot: Int) -> ConnectionID {
        loop.remove(records[slot].fd)
        deadlines.disarm(slot)
        releaseBacklog(slot)
        Socket.close(records[slot].fd)
        records[slot].flags = []
        count -= 1
        statistics.closed &+= 1
        return id(slot)
    }

    /// Stops watching the socket, and hands out the descriptor and all that was not sent. Nil for a connection that is ending.
    mutating func detach(_ id: ConnectionID) -> (fd: Int32, unsent: [UInt8])? {
        guard let slot = served(id) else { return nil }
        var unsent: [UInt8] = []
        if records[slot].backlog >= 0 { unsent = backlogs[Int(records[slot].backlog)].takeAll() }
        if records[slot].run != Outbox.noRun { outbox.withBytes(of: records[slot].run) { unsent.append(copying: $0) } }
        let fd = records[slot].fd
        loop.remove(fd)
        deadlines.disarm(slot)
        releaseBacklog(slot)
        count -= 1
        release(id)
        return (fd, unsent)
    }

    mutating func release(_ id: ConnectionID) {
        records[Int(id.slot)] = ConnectionRecord(generation: id.generation &+ 1)
        freeSlots.append(id.slot)
    }

    func updateInterest(_ slot: Int) {
        var interest: Poller.Readiness = []
        let flags = records[slot].flags
        if flags.isDisjoint(with: [.readEnded, .readingPaused]) { interest.insert(.readable) }
        if flags.contains(.awaitsWritable) { interest.insert(.writable) }
        loop.change(records[slot].fd, interest, token(slot))
    }

    mutating func setReadingPaused(_ id: ConnectionID, _ paused: Bool) {
        guard let slot = served(id), records[slot].flags.contains(.readingPaused) != paused else { return }
        if paused { records[slot].flags.insert(.readingPaused) } else { records[slot].flags.remove(.readingPaused) }
        updateInterest(slot)
    }

    // MARK: Events

    enum Event {
        case nothing
        case received(Int)
        case peerClosed
    }

    /// The slot an event is for; nil when it is of an earlier connection in this slot, whose generation is another, or of one that ends.
    func slot(_ token: EventToken) -> Int? {
        let slot = Int(token.slot)
        guard slot < records.count, token.matches(records[slot].generation),
            records[slot].flags.intersection([.open, .doomed]) == .open
        else { return nil }
        return slot
    }

    /// Handles the part of an event that does not concern the driver: at most one receive into the buffer and one send from the backlog.
    /// epoll reports the rest again, after the other connections.
    mutating func handle(_ slot: Int, _ readiness: Poller.Readiness, into buffer: inout MutableSpan<UInt8>) -> Event {
        if readiness.contains(.writable), records[slot].flags.contains(.awaitsWritable) { writable(slot) }
        let flags = records[slot].flags
        if flags.contains(.doomed) { return .nothing }
        if readiness.contains(.readable), flags.isDisjoint(with: [.readEnded, .readingPaused]) { return read(slot, into: &buffer) }
        if readiness.contains(.hangup) {
            // Both directions have ended and nothing will be read, but the kernel would report the socket in every turn.
            doom(slot, flags.contains(.closing) ? .closed : .ended)
        }
        return .nothing
    }

    private mutating func read(_ slot: Int, into buffer: inout MutableSpan<UInt8>) -> Event {
        let isClosing = records[slot].flags.contains(.closing)
        switch receive(records[slot].fd, &buffer) {
        case .bytes(let received):
            statistics.receives &+= 1
            statistics.bytesIn &+= UInt64(received)
            return isClosing ? .nothing : .received(received)
        case .wouldBlock: return .nothing
        case .ended:
            if records[slot].flags.contains(.lingering) {
                doom(slot, .closed)
                return .nothing
            }
            records[slot].flags.insert(.readEnded)
            updateInterest(slot)
            return isClosing ? .nothing : .peerClosed
        case .failed(let error):
            doom(slot, isClosing ? .closed : .failed(error))
            return .nothing
        }
    }

    /// The only function that receives bytes: a TLS record layer would go here.
    @inline(__always)
    private func receive(_ fd: Int32, _ buffer: inout MutableSpan<UInt8>) -> Socket.Transfer {
        if let faults, let fault = faults.receive() { return fault }
        return Socket.receive(fd, into: &buffer)
    }

    // MARK: Deadlines

    mutating func setDeadline(_ slot: Int, _ delay: Duration?) {
        records[slot].flags.remove(.deadlinePassed)
        if let delay { deadlines.arm(slot, due: clock.due(loop.now + delay)) } else { deadlines.disarm(slot) }
    }

    var nextDeadline: MonotonicInstant? { deadlines.nextTick().map(clock.instant(of:)) }

    /// Marks connections whose deadline has passed. A call to the driver may change the deadline of another
    /// connection, which `takePassed` then skips.
    mutating func collectPassed(into passed: inout [Int]) {
        deadlines.advance(to: clock.passed(loop.now), into: &passed)
        for slot in passed { records[slot].flags.insert(.deadlinePassed) }
    }

    /// The connection's id when the driver must get `deadline`; nil when the deadline was changed meanwhile.
    mutating func takePassed(_ slot: Int) -> ConnectionID? {
        guard records[slot].flags.contains(.deadlinePassed) else { return nil }
        records[slot].flags.remove(.deadlinePassed)
        if records[slot].isServed { return id(slot) }
        if records[slot].flags.contains(.closing) { doom(slot, .closed) }
        return nil
    }

    // MARK: Closing

    mutating func close(_ id: ConnectionID, _ how: CloseMode) {
        let slot = Int(id.slot)
        guard slot < records.count, records[slot].generation == id.generation,
            records[slot].flags.intersection([.open, .doomed]) == .open
        else { return }
        switch how {
        case .now: doom(slot, .closed)
        case .afterFlush:
            guard !records[slot].flags.contains(.closing) else { return }
            records[slot].flags.insert(.closing)
            // Input is read and dropped from here on, because unread bytes would turn the close into a reset.
            if records[slot].flags.contains(.readingPaused) {
                records[slot].flags.remove(.readingPaused)
                updateInterest(slot)
            }
            // A peer that does not read must not keep the connection open.
            setDeadline(slot, limits.linger)
            closings.append(id.slot)
        }
    }

    /// Marks the connection to be closed at the end of this turn.
    mutating func doom(_ slot: Int, _ cause: CloseCause) {
        guard !records[slot].flags.contains(.doomed) else { return }
        records[slot].flags.insert(.doomed)
        doomed.append((UInt32(truncatingIfNeeded: slot), cause))
    }

    mutating func endSendings() {
        if closings.isEmpty { return }
        for slot in closings { endSending(Int(slot)) }
        closings.removeAll(keepingCapacity: true)
    }

    /// Ends the sending side, once everything is sent. The receiving side stays open for a while, for the reason in RFC 9112 §9.6.
    private mutating func endSending(_ slot: Int) {
        let flags = records[slot].flags
        guard flags.contains(.closing), flags.isDisjoint(with: [.doomed, .lingering]), records[slot].backlog < 0 else { return }
        if flags.contains(.readEnded) { return doom(slot, .closed) }
        records[slot].flags.insert(.lingering)
        Socket.shutdownWrite(records[slot].fd)
        setDeadline(slot, limits.linger)
    }

    var isUnsettled: Bool { !(dirty.isEmpty && closings.isEmpty && doomed.isEmpty && drained.isEmpty) }
}
