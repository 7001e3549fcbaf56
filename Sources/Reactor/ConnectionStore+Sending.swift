import Bytes
import Linux

extension ConnectionStore {
    /// The first of so many answers waits until the last is written.
    private static let answersTogether = 64

    @inline(__always)
    mutating func send(_ id: ConnectionID, _ frame: StagedFrame) {
        guard let slot = served(id) else { return }
        guard outbox.holds(frame) else {
            assert(frame.index == StagedFrame.none.index, "a frame staged in another turn")
            return
        }
        enqueue(slot, frame)
    }

    mutating func send(_ id: ConnectionID, _ bytes: [UInt8]) {
        guard !bytes.isEmpty, let slot = served(id) else { return }
        enqueue(slot, outbox.stage(bytes))
    }

    mutating func send(_ id: ConnectionID, copying bytes: Span<UInt8>) {
        guard !bytes.isEmpty, let slot = served(id) else { return }
        enqueue(slot, outbox.stage(copying: bytes))
    }

    func isCongested(_ id: ConnectionID) -> Bool {
        guard let slot = served(id) else { return false }
        return records[slot].flags.contains(.congested)
    }

    func backlogBytes(_ id: ConnectionID) -> Int {
        guard let slot = served(id) else { return 0 }
        return unsentBytes(slot)
    }

    func unsentBytes(_ slot: Int) -> Int {
        let record = records[slot]
        return outbox.count(of: record.run) + (record.backlog < 0 ? 0 : backlogs[Int(record.backlog)].count)
    }

    mutating func flush() {
        guard !dirty.isEmpty else { return }
        // Moved out of `self` for the duration of the loop, because the loop changes the records.
        var lent = Outbox()
        swap(&lent, &outbox)
        if dirty.count < ringMinimum || !flushTogether(from: &lent) {
            for index in dirty.indices { flush(Int(dirty[index]), from: &lent) }
        }
        swap(&lent, &outbox)
        dirty.removeAll(keepingCapacity: true)
    }

    /// Does nothing and returns false when there is no ring.
    private mutating func flushTogether(from outbox: inout Outbox) -> Bool {
        guard var ring = ring.take() else { return false }
        for index in dirty.indices {
            let slot = Int(dirty[index])
            let run = takeRun(slot)
            guard run != Outbox.noRun else { continue }
            if records[slot].backlog >= 0 {
                outbox.withBytes(of: run) { bytes in keep(slot, bytes.count) { $0.append(copying: bytes) } }
                continue
            }
            let (bytes, isJoined) = outbox.range(of: run)
            switch faults?.send(bytes.count) {
            case nil: ring.add(records[slot].fd, bytes, inSecond: isJoined)
            case .bytes(let room): ring.add(records[slot].fd, bytes.prefix(room), inSecond: isJoined)
            case let fault?:
                settle(slot, run, fault, &outbox)
                continue
            }
            together.append((UInt32(truncatingIfNeeded: slot), run))
            if ring.isFull { submit(&ring, &outbox) }
        }
        submit(&ring, &outbox)
        self.ring = consume ring
        return true
    }

    private mutating func submit(_ ring: inout SendRing, _ outbox: inout Outbox) {
        if together.isEmpty { return }
        outbox.withStorages { ring.submit($0, $1) }
        statistics.ringSubmits &+= 1
        for index in together.indices {
            settle(Int(together[index].slot), together[index].run, ring.result(index), &outbox)
        }
        together.removeAll(keepingCapacity: true)
        ring.clear()
    }

    /// The result of sending one run.
    @inline(__always)
    private mutating func settle(_ slot: Int, _ run: Int32, _ transfer: Socket.Transfer, _ outbox: inout Outbox) {
        let count = outbox.count(of: run)
        let sent = follow(slot, transfer, of: count)
        if sent < count, !records[slot].flags.contains(.doomed) {
            outbox.withBytes(of: run) { bytes in keep(slot, count - sent) { $0.append(copying: bytes.extracting(sent...)) } }
        }
    }

    /// Takes the run out of the slot's record; `noRun` for a connection that is closing.
    @inline(__always)
    private mutating func takeRun(_ slot: Int) -> Int32 {
        let run = records[slot].run
        records[slot].run = Outbox.noRun
        return records[slot].flags.contains(.doomed) ? Outbox.noRun : run
    }

    @inline(__always)
    mutating func enqueue(_ slot: Int, _ frame: StagedFrame) {
        if outbox.isLarge(frame) { return sendLarge(slot, outbox.largeBytes(frame)) }
        let run = records[slot].run
        // The list may name a slot twice, after a long run went out early; the second entry finds nothing to send.
        if run == Outbox.noRun { dirty.append(UInt32(truncatingIfNeeded: slot)) }
        let extended = outbox.extend(run, by: frame)
        records[slot].run = extended
        if outbox.count(of: extended) >= Outbox.longRunBytes { flush(slot) }
    }

    private mutating func sendLarge(_ slot: Int, _ bytes: [UInt8]) {
        flush(slot)
        guard !records[slot].flags.contains(.doomed) else { return }
        let sent = records[slot].backlog < 0 ? transmit(slot, bytes.span) : 0
        if sent < bytes.count, !records[slot].flags.contains(.doomed) {
            keep(slot, bytes.count - sent) { $0.append(sharing: bytes, from: sent) }
        }
    }

    /// Sends the answers to a connection's input: at once, while its socket is still in the processor's cache, or together with other
    /// connections' answers, which costs less.
    @inline(__always)
    mutating func answered(_ slot: Int) {
        if ring == nil {
            if records[slot].run != Outbox.noRun { flush(slot) }
        } else if dirty.count >= Self.answersTogether {
            flush()
        }
    }

    private mutating func flush(_ slot: Int) {
        var lent = Outbox()
        swap(&lent, &outbox)
        flush(slot, from: &lent)
        swap(&lent, &outbox)
    }

    /// Sends the slot's run, or appends it to the slot's backlog.
    @inline(__always)
    private mutating func flush(_ slot: Int, from outbox: inout Outbox) {
        let run = takeRun(slot)
        guard run != Outbox.noRun else { return }
        outbox.withBytes(of: run) { bytes in
            let sent = records[slot].backlog < 0 ? transmit(slot, bytes) : 0
            if sent < bytes.count, !records[slot].flags.contains(.doomed) {
                keep(slot, bytes.count - sent) { $0.append(copying: bytes.extracting(sent...)) }
            }
        }
    }

    @inline(__always)
    private mutating func transmit(_ slot: Int, _ bytes: Span<UInt8>) -> Int {
        follow(slot, send(records[slot].fd, bytes), of: bytes.count)
    }

    /// Returns how many bytes the socket accepted. A failure closes the connection.
    @inline(__always)
    private mutating func follow(_ slot: Int, _ transfer: Socket.Transfer, of count: Int) -> Int {
        switch transfer {
        case .bytes(let sent):
            statistics.sends &+= 1
            statistics.bytesOut &+= UInt64(sent)
            if sent < count { statistics.partialSends &+= 1 }
            return sent
        case .wouldBlock: return 0
        case .ended: doom(slot, .ended)
        case .failed(let error): doom(slot, .failed(error))
        }
        return 0
    }

    /// Only this function and `submit` send bytes: a TLS record layer would go before both.
    @inline(__always)
    private func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Socket.Transfer {
        if let faults, let fault = faults.send(bytes.count) {
            guard case .bytes(let room) = fault else { return fault }
            return Socket.send(fd, bytes.extracting(0..<room))
        }
        return Socket.send(fd, bytes)
    }

    /// Puts the bytes that the socket did not accept into the backlog.
    private mutating func keep(_ slot: Int, _ bytes: Int, _ append: (inout Backlog) -> Void) {
        let waiting = records[slot].backlog < 0 ? 0 : backlogs[Int(records[slot].backlog)].count
        guard bytes <= limits.backlogBytes - waiting else {
            statistics.overflows &+= 1
            // The peer does not read, so the kernel drops its own unsent bytes too.
            Socket.setResetOnClose(records[slot].fd)
            return doom(slot, .overflow)
        }
        if records[slot].backlog < 0 {
            records[slot].backlog = takeBacklog()
            records[slot].flags.insert(.awaitsWritable)
            updateInterest(slot)
        }
        append(&backlogs[Int(records[slot].backlog)])
        if waiting + bytes > limits.highWatermarkBytes { records[slot].flags.insert(.congested) }
    }

    private mutating func takeBacklog() -> Int32 {
        if let reused = freeBacklogs.popLast() { return reused }
        backlogs.append(Backlog())
        return Int32(truncatingIfNeeded: backlogs.count - 1)
    }

    mutating func releaseBacklog(_ slot: Int) {
        let index = records[slot].backlog
        guard index >= 0 else { return }
        records[slot].backlog = ConnectionRecord.noBacklog
        backlogs[Int(index)] = Backlog()
        freeBacklogs.append(index)
    }

    /// The socket is writable again. One call only, so that one fast reader does not delay the other connections.
    mutating func writable(_ slot: Int) {
        let index = Int(records[slot].backlog)
        guard index >= 0 else { return }
        let sent = backlogs[index].withNext { transmit(slot, $0) }
        guard sent > 0, !records[slot].flags.contains(.doomed) else { return }
        backlogs[index].consume(sent)
        if backlogs[index].count == 0 {
            releaseBacklog(slot)
            records[slot].flags.remove(.awaitsWritable)
            updateInterest(slot)
            if records[slot].flags.contains(.closing) { closings.append(UInt32(truncatingIfNeeded: slot)) }
        }
        if records[slot].flags.contains(.congested), unsentBytes(slot) <= limits.lowWatermarkBytes {
            records[slot].flags.remove(.congested)
            drained.append(id(slot))
        }
    }
}
