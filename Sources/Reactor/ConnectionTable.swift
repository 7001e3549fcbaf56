public import Linux

/// The sockets of one loop: accepts, reads into one buffer, queues, joins and sends, closes.
///
/// Owns its descriptors and, for each connection, one small record; a connection owns heap memory only while the peer does not
/// take what was sent. Invariant: a record's queue holds frames of this turn only; `flush` empties all queues at the turn's end.
public final class ConnectionTable {
    private typealias Readiness = Poller.Readiness

    private struct Flags: OptionSet {
        let rawValue: UInt16
        static let used = Flags(rawValue: 1)
        static let readingPaused = Flags(rawValue: 2)
        static let readEnded = Flags(rawValue: 4)
        static let congested = Flags(rawValue: 8)
        /// Close once everything is sent.
        static let closing = Flags(rawValue: 16)
        /// Everything is sent, the sending side is ended: waits for the peer.
        static let lingering = Flags(rawValue: 32)
        static let doomed = Flags(rawValue: 64)
        static let awaitsWritable = Flags(rawValue: 128)
    }

    private struct Record {
        var fd: Int32 = -1
        var generation: UInt32 = 0
        var flags: Flags = []
        /// First and last link of this turn's queue; `noLink` when empty.
        var firstLink = noLink
        var lastLink = noLink
        /// Index into `backlogs`, or `noBacklog`.
        var backlog = noBacklog
        /// Ticks of `DeadlineWheel`; 0: none.
        var deadline: UInt32 = 0
        var scheduled: UInt32 = 0
    }

    private struct Link {
        let frame: UInt32
        var next: UInt32
    }

    /// What a connection's peer has not taken yet.
    private struct Backlog {
        var bytes: [UInt8] = []
        var sent = 0
        var count: Int { bytes.count - sent }
    }

    private static let noLink = UInt32.max
    private static let noBacklog = UInt32.max
    /// Runs longer than this are sent frame by frame: copying them together would cost more than the calls it saves.
    private static let joinLimitBytes = 128 * 1_024

    public let limits: ConnectionLimits
    public private(set) var statistics = ConnectionStatistics()
    public private(set) var count = 0

    private let loop: EventLoop
    private unowned let driver: any ConnectionDriver
    private var records: ContiguousArray<Record> = []
    private var freeSlots: [UInt32] = []
    private var links: ContiguousArray<Link> = []
    private var frames: ContiguousArray<[UInt8]> = []
    private var dirty: ContiguousArray<UInt32> = []
    private var backlogs: ContiguousArray<Backlog> = []
    private var freeBacklogs: [UInt32] = []
    /// Connections to be ended once this turn's flush is done.
    private var closings: [UInt32] = []
    private var doomed: [(slot: UInt32, cause: CloseCause)] = []
    private var deadlines: DeadlineWheel
    private var receiveBuffer: [UInt8]
    private var listeners: [(fd: Int32, watch: WatchID)] = []
    private var isAcceptPaused = false
    private let faults: SocketFaults?
    private var run: ContiguousArray<UInt32> = []

    public convenience init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver) {
        self.init(loop: loop, limits: limits, driver: driver, faults: nil)
    }

    /// - Parameter faults: makes chosen calls fail, for tests.
    init(loop: EventLoop, limits: ConnectionLimits, driver: any ConnectionDriver, faults: SocketFaults?) {
        self.loop = loop
        self.limits = limits
        self.driver = driver
        self.faults = faults
        receiveBuffer = [UInt8](repeating: 0, count: limits.receiveBytes)
        deadlines = DeadlineWheel(now: loop.now)
        loop.dispatchSockets { [unowned self] token, readiness in dispatch(token, readiness) }
        loop.atTurnEnd { [unowned self] in endTurn() }
    }

    deinit {
        for listener in listeners { Socket.close(listener.fd) }
        for record in records where record.flags.contains(.used) { Socket.close(record.fd) }
    }

    // MARK: Accepting

    /// Takes connections from a listening socket, which now belongs to the table.
    public func listen(on fd: Int32) throws(SystemError) {
        let watch = try loop.watch(fd, .readable) { [unowned self] _ in accept(fd) }
        listeners.append((fd, watch))
    }

    public func stopListening() {
        for listener in listeners {
            loop.unwatch(listener.watch)
            Socket.close(listener.fd)
        }
        listeners.removeAll()
    }

    private func accept(_ listener: Int32) {
        for _ in 0..<limits.acceptsPerTurn {
            guard count < limits.maximum else { return pauseAccepting() }
            switch faults?.accept() ?? Socket.accept(listener) {
            case .none: return
            case .connection(let fd, let peer): _ = adopt(fd, peer: peer)
            case .failed(let error):
                statistics.acceptFailures &+= 1
                switch error.errno {
                case SystemError.tooManyInProcess, SystemError.tooManyInSystem, SystemError.noMemory, SystemError.noBuffers:
                    return pauseAccepting()
                default:
                    // The connection was gone before it was taken; the next may be fine.
                    continue
                }
            }
        }
    }

    /// Without descriptors the listener would be reported ready for ever: it rests until one is given back, or a moment passed.
    private func pauseAccepting() {
        guard !isAcceptPaused else { return }
        isAcceptPaused = true
        statistics.acceptPauses &+= 1
        for listener in listeners { loop.change(listener.watch, []) }
        loop.after(limits.acceptPause) { [unowned self] in resumeAccepting() }
    }

    private func resumeAccepting() {
        guard isAcceptPaused, count < limits.maximum else {
            if isAcceptPaused { loop.after(limits.acceptPause) { [unowned self] in resumeAccepting() } }
            return
        }
        isAcceptPaused = false
        for listener in listeners { loop.change(listener.watch, .readable) }
    }

    /// Takes over a connected, non-blocking socket. nil when it could not be watched; then it is closed.
    public func adopt(_ fd: Int32, peer: PeerAddress) -> ConnectionID? {
        let slot: UInt32
        if let reused = freeSlots.popLast() {
            slot = reused
        } else {
            slot = UInt32(truncatingIfNeeded: records.count)
            records.append(Record())
        }
        let id = ConnectionID(slot: slot, generation: records[Int(slot)].generation)
        do throws(SystemError) {
            try loop.addSocket(fd, .readable, token: token(id))
        } catch {
            statistics.acceptFailures &+= 1
            freeSlots.append(slot)
            Socket.close(fd)
            return nil
        }
        Socket.setNoDelay(fd)
        records[Int(slot)].fd = fd
        records[Int(slot)].flags = .used
        count += 1
        statistics.accepted &+= 1
        if count == 1 { tickDeadlines() }
        driver.opened(id, peer: peer)
        return id
    }

    // MARK: Ids

    private func token(_ id: ConnectionID) -> UInt64 { UInt64(id.generation & 0x7FFF_FFFF) << 32 | UInt64(id.slot) }

    @inline(__always)
    private func slot(_ id: ConnectionID) -> Int? {
        let slot = Int(id.slot)
        guard slot < records.count, records[slot].generation == id.generation, records[slot].flags.contains(.used) else { return nil }
        return slot
    }

    private func id(_ slot: Int) -> ConnectionID {
        ConnectionID(slot: UInt32(truncatingIfNeeded: slot), generation: records[slot].generation)
    }

    // MARK: Reading

    private func dispatch(_ token: UInt64, _ readiness: Readiness) {
        let slot = Int(token & 0xFFFF_FFFF)
        // A stale event of an earlier connection in this slot carries another generation.
        guard slot < records.count, records[slot].flags.contains(.used),
            records[slot].generation & 0x7FFF_FFFF == UInt32(truncatingIfNeeded: token >> 32)
        else { return }
        if records[slot].flags.contains(.doomed) { return }
        if readiness.contains(.writable), records[slot].flags.contains(.awaitsWritable) { writable(slot) }
        if records[slot].flags.contains(.doomed) { return }
        if readiness.contains(.readable), !records[slot].flags.contains(.readEnded) {
            if !records[slot].flags.contains(.readingPaused) {
                readable(slot)
            } else if readiness.contains(.hangup) {
                doom(slot, .ended)
            }
        } else if readiness.contains(.hangup) {
            doom(slot, .ended)
        }
    }

    private func readable(_ slot: Int) {
        var lent: [UInt8] = []
        swap(&lent, &receiveBuffer)
        defer { swap(&lent, &receiveBuffer) }
        var buffer = lent.mutableSpan
        switch receive(records[slot].fd, &buffer) {
        case .bytes(let received):
            statistics.receives &+= 1
            statistics.bytesIn &+= UInt64(received)
            // What a closed connection still sends is read and dropped, so that closing does not reset it.
            if records[slot].flags.contains(.lingering) { return }
            var bytes = buffer._mutatingExtracting(0..<received)
            driver.received(id(slot), &bytes)
        case .wouldBlock: return
        case .ended:
            if records[slot].flags.contains(.lingering) { return doom(slot, .closed) }
            records[slot].flags.insert(.readEnded)
            updateInterest(slot)
            driver.peerClosed(id(slot))
        case .failed(let error): doom(slot, .failed(error))
        }
    }

    /// The one place where bytes come in: a TLS record layer would sit here.
    @inline(__always)
    private func receive(_ fd: Int32, _ buffer: inout MutableSpan<UInt8>) -> Socket.Transfer {
        if let faults, let fault = faults.receive() { return fault }
        return Socket.receive(fd, into: &buffer)
    }

    public func pauseReading(_ id: ConnectionID) { setReadingPaused(id, true) }
    public func resumeReading(_ id: ConnectionID) { setReadingPaused(id, false) }

    private func setReadingPaused(_ id: ConnectionID, _ paused: Bool) {
        guard let slot = slot(id), records[slot].flags.contains(.readingPaused) != paused else { return }
        if paused { records[slot].flags.insert(.readingPaused) } else { records[slot].flags.remove(.readingPaused) }
        updateInterest(slot)
    }

    private func updateInterest(_ slot: Int) {
        var interest: Readiness = []
        let flags = records[slot].flags
        if !flags.contains(.readEnded), !flags.contains(.readingPaused) || flags.contains(.lingering) { interest.insert(.readable) }
        if flags.contains(.awaitsWritable) { interest.insert(.writable) }
        loop.changeSocket(records[slot].fd, interest, token: token(id(slot)))
    }

    // MARK: Sending

    /// Makes a payload ready to be sent to any number of connections in this turn.
    public func stage(_ payload: Payload) -> StagedFrame {
        frames.append(payload.bytes)
        return StagedFrame(index: UInt32(truncatingIfNeeded: frames.count - 1))
    }

    /// Queues a staged frame: a link in a pool, whatever the frame's size.
    public func send(_ id: ConnectionID, _ frame: StagedFrame) {
        guard Int(frame.index) < frames.count, let slot = slot(id) else { return }
        enqueue(slot, frame.index)
    }

    /// Queues bytes of this connection's own.
    public func send(_ id: ConnectionID, bytes: [UInt8]) {
        guard !bytes.isEmpty, let slot = slot(id) else { return }
        frames.append(bytes)
        enqueue(slot, UInt32(truncatingIfNeeded: frames.count - 1))
    }

    @inline(__always)
    private func enqueue(_ slot: Int, _ frame: UInt32) {
        if !records[slot].flags.isDisjoint(with: [.doomed, .lingering, .closing]) { return }
        let link = UInt32(truncatingIfNeeded: links.count)
        links.append(Link(frame: frame, next: Self.noLink))
        let last = records[slot].lastLink
        if last == Self.noLink {
            records[slot].firstLink = link
            dirty.append(UInt32(truncatingIfNeeded: slot))
        } else {
            links[Int(last)].next = link
        }
        records[slot].lastLink = link
    }

    public func isCongested(_ id: ConnectionID) -> Bool {
        guard let slot = slot(id) else { return false }
        return records[slot].flags.contains(.congested)
    }

    /// Bytes the peer has not taken; without what was queued in this turn.
    public func backlogBytes(_ id: ConnectionID) -> Int {
        guard let slot = slot(id), records[slot].backlog != Self.noBacklog else { return 0 }
        return backlogs[Int(records[slot].backlog)].count
    }

    /// Sends everything queued in this turn: one call for each socket.
    public func flush() {
        guard !dirty.isEmpty else { return }
        // What the socket before got is at hand without a reference count touched: many sockets get the same.
        var last = SentLast()
        for slot in dirty { flush(Int(slot), &last) }
        dirty.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: links.count < 65_536)
        frames.removeAll(keepingCapacity: frames.count < 65_536)
    }

    private struct SentLast {
        var frame = noLink
        var bytes: [UInt8] = []
        var joinedRun: ContiguousArray<UInt32> = []
        var joined: [UInt8] = []
    }

    private func flush(_ slot: Int, _ last: inout SentLast) {
        let first = records[slot].firstLink
        records[slot].firstLink = Self.noLink
        records[slot].lastLink = Self.noLink
        guard first != Self.noLink, !records[slot].flags.contains(.doomed) else { return }
        let link = links[Int(first)]
        if link.next == Self.noLink {
            if link.frame != last.frame {
                last.frame = link.frame
                last.bytes = frames[Int(link.frame)]
            }
            transmit(slot, last.bytes.span)
            return
        }
        run.removeAll(keepingCapacity: true)
        var next = first
        while next != Self.noLink {
            run.append(links[Int(next)].frame)
            next = links[Int(next)].next
        }
        if run != last.joinedRun {
            let bytes = run.reduce(0) { $0 + frames[Int($1)].count }
            guard bytes <= Self.joinLimitBytes else {
                for frame in run {
                    let one = frames[Int(frame)]
                    transmit(slot, one.span)
                }
                return
            }
            last.joined.removeAll(keepingCapacity: true)
            last.joined.reserveCapacity(bytes)
            for frame in run { last.joined.append(contentsOf: frames[Int(frame)]) }
            swap(&last.joinedRun, &run)
        }
        transmit(slot, last.joined.span)
    }

    @inline(__always)
    private func transmit(_ slot: Int, _ bytes: Span<UInt8>) {
        if records[slot].backlog != Self.noBacklog { return keep(slot, bytes) }
        switch send(records[slot].fd, bytes) {
        case .bytes(let sent):
            statistics.sends &+= 1
            statistics.bytesOut &+= UInt64(sent)
            if sent < bytes.count {
                statistics.partialSends &+= 1
                keep(slot, bytes.extracting(sent..<bytes.count))
            }
        case .wouldBlock: keep(slot, bytes)
        case .ended: doom(slot, .ended)
        case .failed(let error): doom(slot, .failed(error))
        }
    }

    /// The one place where bytes go out: a TLS record layer would sit here.
    @inline(__always)
    private func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Socket.Transfer {
        if let faults, let fault = faults.send(bytes.count) {
            guard case .bytes(let room) = fault else { return fault }
            return Socket.send(fd, bytes.extracting(0..<room))
        }
        return Socket.send(fd, bytes)
    }

    /// Copies what the socket did not take.
    private func keep(_ slot: Int, _ bytes: Span<UInt8>) {
        var index = records[slot].backlog
        if index == Self.noBacklog {
            if let reused = freeBacklogs.popLast() {
                index = reused
            } else {
                index = UInt32(truncatingIfNeeded: backlogs.count)
                backlogs.append(Backlog())
            }
            records[slot].backlog = index
            records[slot].flags.insert(.awaitsWritable)
            updateInterest(slot)
        }
        guard backlogs[Int(index)].count + bytes.count <= limits.backlogBytes else {
            statistics.overflows &+= 1
            return doom(slot, .overflow)
        }
        backlogs[Int(index)].bytes.append(addingCapacity: bytes.count) { out in
            for i in bytes.indices { out.append(bytes[i]) }
        }
        if backlogs[Int(index)].count > limits.highWatermarkBytes { records[slot].flags.insert(.congested) }
    }

    private func writable(_ slot: Int) {
        let index = Int(records[slot].backlog)
        guard records[slot].backlog != Self.noBacklog else { return }
        let waiting = backlogs[index].bytes
        switch send(records[slot].fd, waiting.span.extracting(backlogs[index].sent..<waiting.count)) {
        case .bytes(let taken):
            statistics.sends &+= 1
            statistics.bytesOut &+= UInt64(taken)
            backlogs[index].sent += taken
        case .wouldBlock: return
        case .ended: return doom(slot, .ended)
        case .failed(let error): return doom(slot, .failed(error))
        }
        let left = backlogs[index].count
        if left == 0 {
            releaseBacklog(slot)
            records[slot].flags.remove(.awaitsWritable)
            updateInterest(slot)
        } else if backlogs[index].sent > limits.highWatermarkBytes {
            backlogs[index].bytes.removeFirst(backlogs[index].sent)
            backlogs[index].sent = 0
        }
        if left <= limits.lowWatermarkBytes, records[slot].flags.contains(.congested) {
            records[slot].flags.remove(.congested)
            driver.drained(id(slot))
        }
        if left == 0, records[slot].flags.contains(.closing), records[slot].firstLink == Self.noLink { endSending(slot) }
    }

    private func releaseBacklog(_ slot: Int) {
        let index = records[slot].backlog
        guard index != Self.noBacklog else { return }
        records[slot].backlog = Self.noBacklog
        backlogs[Int(index)] = Backlog()
        freeBacklogs.append(index)
    }

    // MARK: Deadlines

    /// Sets the connection's one deadline; nil takes it back. Setting it later again and again costs nothing.
    public func setDeadline(_ id: ConnectionID, after delay: Duration?) {
        guard let slot = slot(id), !records[slot].flags.contains(.lingering) else { return }
        setDeadline(slot, delay)
    }

    private func setDeadline(_ slot: Int, _ delay: Duration?) {
        guard let delay else {
            records[slot].deadline = 0
            return
        }
        let tick = deadlines.tick(loop.now + delay)
        records[slot].deadline = tick
        if records[slot].scheduled == 0 || tick < records[slot].scheduled {
            records[slot].scheduled = tick
            deadlines.add(UInt32(truncatingIfNeeded: slot), records[slot].generation, tick)
        }
    }

    private func tickDeadlines() {
        guard count > 0 else { return }
        for entry in deadlines.takeDue(now: loop.now) {
            let slot = Int(entry.slot)
            guard records[slot].generation == entry.generation, records[slot].flags.contains(.used),
                records[slot].scheduled == entry.tick, !records[slot].flags.contains(.doomed)
            else { continue }
            records[slot].scheduled = 0
            let deadline = records[slot].deadline
            if deadline == 0 { continue }
            if deadline > deadlines.current {
                // It was put off meanwhile.
                records[slot].scheduled = deadline
                deadlines.add(entry.slot, entry.generation, deadline)
            } else {
                records[slot].deadline = 0
                if records[slot].flags.contains(.lingering) { doom(slot, .closed) } else { driver.deadline(id(slot)) }
            }
        }
        loop.after(DeadlineWheel.tick) { [unowned self] in tickDeadlines() }
    }

    // MARK: Closing

    public func close(_ id: ConnectionID, _ how: CloseMode) {
        guard let slot = slot(id), !records[slot].flags.contains(.doomed) else { return }
        switch how {
        case .now: doom(slot, .closed)
        case .reset:
            Socket.setResetOnClose(records[slot].fd)
            doom(slot, .closed)
        case .afterFlush:
            guard !records[slot].flags.contains(.closing) else { return }
            records[slot].flags.insert(.closing)
            closings.append(UInt32(truncatingIfNeeded: slot))
        }
    }

    private func endSending(_ slot: Int) {
        guard !records[slot].flags.contains(.doomed), !records[slot].flags.contains(.lingering) else { return }
        if records[slot].flags.contains(.readEnded) { return doom(slot, .ended) }
        records[slot].flags.insert(.lingering)
        Socket.shutdownWrite(records[slot].fd)
        if records[slot].flags.contains(.readingPaused) { updateInterest(slot) }
        setDeadline(slot, limits.linger)
    }

    private func doom(_ slot: Int, _ cause: CloseCause) {
        guard !records[slot].flags.contains(.doomed) else { return }
        records[slot].flags.insert(.doomed)
        doomed.append((UInt32(truncatingIfNeeded: slot), cause))
    }

    private func endTurn() {
        flush()
        if !closings.isEmpty {
            let batch = closings
            closings.removeAll(keepingCapacity: true)
            for slot in batch where records[Int(slot)].flags.contains(.closing) && records[Int(slot)].backlog == Self.noBacklog {
                endSending(Int(slot))
            }
        }
        while !doomed.isEmpty {
            let batch = doomed
            doomed.removeAll(keepingCapacity: true)
            for (slot, cause) in batch { bury(Int(slot), cause) }
            flush()
        }
    }

    private func bury(_ slot: Int, _ cause: CloseCause) {
        let id = id(slot)
        let fd = records[slot].fd
        loop.removeSocket(fd)
        releaseBacklog(slot)
        Socket.close(fd)
        // The slot stays taken until the driver knows: what it opens meanwhile gets another one.
        records[slot].flags = []
        count -= 1
        statistics.closed &+= 1
        driver.closed(id, cause)
        records[slot] = Record(generation: id.generation &+ 1)
        freeSlots.append(UInt32(truncatingIfNeeded: slot))
        if isAcceptPaused { resumeAccepting() }
    }
}
