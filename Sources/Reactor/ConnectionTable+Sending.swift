import Linux

extension ConnectionTable {
    /// Makes a payload ready to be sent to any number of connections in this turn.
    public func stage(_ payload: Payload) -> StagedFrame { outbox.stage(payload.bytes) }

    /// Queues a staged frame: a number in the connection's record, whatever the frame's size.
    public func send(_ id: ConnectionID, _ frame: StagedFrame) {
        guard let slot = served(id) else { return }
        guard outbox.holds(frame) else {
            assert(frame.index == StagedFrame.none.index, "a frame staged in another turn")
            return
        }
        enqueue(slot, frame)
    }

    /// Queues bytes of this connection's own.
    public func send(_ id: ConnectionID, bytes: [UInt8]) {
        guard !bytes.isEmpty, let slot = served(id) else { return }
        enqueue(slot, outbox.stage(bytes))
    }

    /// Queues bytes lent for the call.
    public func send(_ id: ConnectionID, copying bytes: Span<UInt8>) {
        guard !bytes.isEmpty, let slot = served(id) else { return }
        enqueue(slot, outbox.stage(copying: bytes))
    }

    /// Unsent bytes above the high watermark, or not yet back at the low one: `drained` follows, or `closed`.
    public func isCongested(_ id: ConnectionID) -> Bool {
        guard let slot = served(id) else { return false }
        return records[slot].flags.contains(.congested)
    }

    /// Bytes the peer has not taken, with what was queued in this turn.
    public func backlogBytes(_ id: ConnectionID) -> Int {
        guard let slot = served(id) else { return 0 }
        return unsentBytes(slot)
    }

    private func unsentBytes(_ slot: Int) -> Int {
        let record = records[slot]
        return outbox.count(of: record.run) + (record.backlog < 0 ? 0 : backlogs[Int(record.backlog)].count)
    }

    /// Sends everything queued in this turn: one call for each socket. The loop does it at the end of every turn.
    public func flush() {
        guard !dirty.isEmpty else { return }
        for index in dirty.indices { flush(Int(dirty[index])) }
        dirty.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private func enqueue(_ slot: Int, _ frame: StagedFrame) {
        if let bytes = outbox.largeBytes(frame) {
            flush(slot)
            guard !records[slot].flags.contains(.doomed) else { return }
            let sent = records[slot].backlog < 0 ? transmit(slot, bytes.span) : 0
            if sent < bytes.count, !records[slot].flags.contains(.doomed) {
                keep(slot, bytes.count - sent) { $0.append(sharing: bytes, from: sent) }
            }
            return
        }
        let run = records[slot].run
        // The list may name a slot twice, after a long run went out early; its second place finds nothing to send.
        if run == Outbox.noRun { dirty.append(UInt32(truncatingIfNeeded: slot)) }
        let extended = outbox.extend(run, by: frame)
        records[slot].run = extended
        if outbox.count(of: extended) >= Outbox.longRunBytes { flush(slot) }
    }

    /// Sends the slot's run, or puts it behind what waits already.
    @inline(__always)
    private func flush(_ slot: Int) {
        let run = records[slot].run
        guard run != Outbox.noRun else { return }
        records[slot].run = Outbox.noRun
        guard !records[slot].flags.contains(.doomed) else { return }
        outbox.withBytes(of: run) { bytes in
            let sent = records[slot].backlog < 0 ? transmit(slot, bytes) : 0
            if sent < bytes.count, !records[slot].flags.contains(.doomed) {
                keep(slot, bytes.count - sent) { $0.append(copying: bytes.extracting(sent...)) }
            }
        }
    }

    /// How much of it the socket took. A failure dooms the connection.
    @inline(__always)
    private func transmit(_ slot: Int, _ bytes: Span<UInt8>) -> Int {
        switch send(records[slot].fd, bytes) {
        case .bytes(let sent):
            statistics.sends &+= 1
            statistics.bytesOut &+= UInt64(sent)
            if sent < bytes.count { statistics.partialSends &+= 1 }
            return sent
        case .wouldBlock: return 0
        case .ended: doom(slot, .ended)
        case .failed(let error): doom(slot, .failed(error))
        }
        return 0
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

    /// Keeps what the socket did not take.
    private func keep(_ slot: Int, _ bytes: Int, _ append: (inout Backlog) -> Void) {
        let waiting = records[slot].backlog < 0 ? 0 : backlogs[Int(records[slot].backlog)].count
        guard bytes <= limits.backlogBytes - waiting else {
            statistics.overflows &+= 1
            // Nobody reads there: the kernel shall not go on keeping it either.
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

    private func takeBacklog() -> Int32 {
        if let reused = freeBacklogs.popLast() { return reused }
        backlogs.append(Backlog())
        return Int32(truncatingIfNeeded: backlogs.count - 1)
    }

    func releaseBacklog(_ slot: Int) {
        let index = records[slot].backlog
        guard index >= 0 else { return }
        records[slot].backlog = ConnectionRecord.noBacklog
        backlogs[Int(index)] = Backlog()
        freeBacklogs.append(index)
    }

    /// The socket takes more: bounded by what one call moves, so that one fast reader does not hold the turn.
    func writable(_ slot: Int) {
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
