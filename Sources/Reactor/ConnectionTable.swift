public import Linux

/// The sockets of one loop: accepts, reads into one buffer, queues, joins and sends, closes.
///
/// Owns its descriptors and, for each connection, one small record; a connection owns heap memory only while the peer does not
/// take what was sent. Invariants: a record's run belongs to this turn, and none is left after `settle`; a record has a backlog
/// exactly while it awaits writability; a slot is given away again only after the driver was told of its connection's end.
public final class ConnectionTable {
    public let limits: ConnectionLimits
    public internal(set) var statistics = ConnectionStatistics()
    /// Connections open, also those still closing.
    public internal(set) var count = 0

    let loop: EventLoop
    unowned let driver: any ConnectionDriver
    let faults: SocketFaults?
    /// This table's mark in the loop's event tokens.
    var source: UInt8 = 0

    var records: ContiguousArray<ConnectionRecord> = []
    var freeSlots: [UInt32] = []
    var outbox = Outbox()
    /// Connections that were sent something in this turn.
    var dirty: ContiguousArray<UInt32> = []
    var backlogs: ContiguousArray<Backlog> = []
    var freeBacklogs: [Int32] = []
    /// Connections to be told that they drained.
    var drained: [ConnectionID] = []
    /// Connections to end their sending side once this turn's frames are out.
    var closings: [UInt32] = []
    var doomed: [(slot: UInt32, cause: CloseCause)] = []
    let clock: TickClock
    var deadlines = TimerWheel(buckets: 2_048)
    var passed: [Int] = []
    var receiveBuffer: [UInt8]
    var listeners: [(fd: Int32, watch: WatchID)] = []
    /// Set while accepting pauses.
    var acceptRetry: TimerID?

    public convenience init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver) {
        self.init(loop: loop, limits: limits, driver: driver, faults: nil)
    }

    /// - Parameter faults: makes chosen calls fail, for tests.
    init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver, faults: SocketFaults?) {
        self.loop = loop
        self.limits = limits
        self.driver = driver
        self.faults = faults
        clock = TickClock(origin: loop.now)
        receiveBuffer = [UInt8](repeating: 0, count: limits.receiveBytes)
        source = loop.register(self)
    }

    deinit {
        for listener in listeners { Socket.close(listener.fd) }
        for record in records where record.flags.contains(.open) { Socket.close(record.fd) }
    }

    // MARK: Ids

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

    // MARK: Opening

    /// Takes over a connected, non-blocking socket. nil when it could not be watched; then it is closed.
    public func adopt(_ fd: Int32, peer: PeerAddress) -> ConnectionID? {
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
            Socket.close(fd)
            return nil
        }
        records[slot].fd = fd
        records[slot].flags = .open
        count += 1
        statistics.accepted &+= 1
        let id = id(slot)
        driver.opened(id, peer: peer)
        return id
    }

    // MARK: Reading

    public func pauseReading(_ id: ConnectionID) { setReadingPaused(id, true) }
    public func resumeReading(_ id: ConnectionID) { setReadingPaused(id, false) }

    private func setReadingPaused(_ id: ConnectionID, _ paused: Bool) {
        guard let slot = served(id), records[slot].flags.contains(.readingPaused) != paused else { return }
        if paused { records[slot].flags.insert(.readingPaused) } else { records[slot].flags.remove(.readingPaused) }
        updateInterest(slot)
    }

    func updateInterest(_ slot: Int) {
        var interest: Poller.Readiness = []
        let flags = records[slot].flags
        if flags.isDisjoint(with: [.readEnded, .readingPaused]) { interest.insert(.readable) }
        if flags.contains(.awaitsWritable) { interest.insert(.writable) }
        loop.change(records[slot].fd, interest, token(slot))
    }

    // MARK: Deadlines

    /// Sets the connection's one deadline; nil takes it back. Setting it later again and again costs a store each time.
    public func setDeadline(_ id: ConnectionID, after delay: Duration?) {
        guard let slot = served(id) else { return }
        setDeadline(slot, delay)
    }

    func setDeadline(_ slot: Int, _ delay: Duration?) {
        records[slot].flags.remove(.deadlinePassed)
        if let delay { deadlines.arm(slot, due: clock.due(loop.now + delay)) } else { deadlines.disarm(slot) }
    }

    // MARK: Closing

    /// Stale ids, and a second close, are ignored; `.now` and `.reset` cut a running `.afterFlush` short.
    public func close(_ id: ConnectionID, _ how: CloseMode) {
        let slot = Int(id.slot)
        guard slot < records.count, records[slot].generation == id.generation,
            records[slot].flags.intersection([.open, .doomed]) == .open
        else { return }
        switch how {
        case .now: doom(slot, .closed)
        case .reset:
            Socket.setResetOnClose(records[slot].fd)
            doom(slot, .closed)
        case .afterFlush:
            guard !records[slot].flags.contains(.closing) else { return }
            records[slot].flags.insert(.closing)
            // From here on what the peer sends is read and dropped: unread bytes would turn the close into a reset.
            if records[slot].flags.contains(.readingPaused) {
                records[slot].flags.remove(.readingPaused)
                updateInterest(slot)
            }
            // A peer that takes nothing must not keep the connection.
            setDeadline(slot, limits.linger)
            closings.append(id.slot)
        }
    }

    /// Ends the connection with this turn.
    func doom(_ slot: Int, _ cause: CloseCause) {
        guard !records[slot].flags.contains(.doomed) else { return }
        records[slot].flags.insert(.doomed)
        doomed.append((UInt32(truncatingIfNeeded: slot), cause))
    }
}
