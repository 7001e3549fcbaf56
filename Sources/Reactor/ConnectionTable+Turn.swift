import Linux

extension ConnectionTable: EventSource {
    // MARK: What the sockets say

    func ready(_ token: EventToken, _ readiness: Poller.Readiness) {
        let slot = Int(token.slot)
        // An event of an earlier connection in this slot carries another generation.
        guard slot < records.count, token.matches(records[slot].generation),
            records[slot].flags.intersection([.open, .doomed]) == .open
        else { return }
        if readiness.contains(.writable), records[slot].flags.contains(.awaitsWritable) { writable(slot) }
        let flags = records[slot].flags
        if flags.contains(.doomed) { return }
        if readiness.contains(.readable), flags.isDisjoint(with: [.readEnded, .readingPaused]) {
            readable(slot)
        } else if readiness.contains(.hangup) {
            // Both directions are over, and nothing is to be read any more: the kernel would report it for ever.
            doom(slot, flags.contains(.closing) ? .closed : .ended)
        }
    }

    /// One receive per connection and turn, of at most the buffer's size; what is left is reported again.
    private func readable(_ slot: Int) {
        var buffer: [UInt8] = []
        swap(&buffer, &receiveBuffer)
        defer { swap(&buffer, &receiveBuffer) }
        var space = buffer.mutableSpan
        let isClosing = records[slot].flags.contains(.closing)
        switch receive(records[slot].fd, &space) {
        case .bytes(let received):
            statistics.receives &+= 1
            statistics.bytesIn &+= UInt64(received)
            if isClosing { return }
            var bytes = space._mutatingExtracting(0..<received)
            driver.received(id(slot), &bytes)
        case .wouldBlock: return
        case .ended:
            if records[slot].flags.contains(.lingering) { return doom(slot, .closed) }
            records[slot].flags.insert(.readEnded)
            updateInterest(slot)
            if !isClosing { driver.peerClosed(id(slot)) }
        case .failed(let error): doom(slot, isClosing ? .closed : .failed(error))
        }
    }

    /// The one place where bytes come in: a TLS record layer would sit here.
    @inline(__always)
    private func receive(_ fd: Int32, _ buffer: inout MutableSpan<UInt8>) -> Socket.Transfer {
        if let faults, let fault = faults.receive() { return fault }
        return Socket.receive(fd, into: &buffer)
    }

    // MARK: Deadlines

    var nextDeadline: MonotonicInstant? { deadlines.nextTick().map(clock.instant(of:)) }

    func fireDeadlines() {
        deadlines.advance(to: clock.passed(loop.now), into: &passed)
        if passed.isEmpty { return }
        // A driver's call may set or take back the deadline of another: only what is still marked is told.
        for slot in passed { records[slot].flags.insert(.deadlinePassed) }
        for slot in passed where records[slot].flags.contains(.deadlinePassed) {
            records[slot].flags.remove(.deadlinePassed)
            if records[slot].flags.intersection([.open, .doomed]) != .open { continue }
            if records[slot].flags.contains(.closing) { doom(slot, .closed) } else { driver.deadline(id(slot)) }
        }
        passed.removeAll(keepingCapacity: true)
    }

    // MARK: The end of the turn

    var isUnsettled: Bool { !(dirty.isEmpty && closings.isEmpty && doomed.isEmpty && drained.isEmpty) }

    /// Sends what was queued, tells who drained, closes what is to be closed, until nothing of it is left; except that those who
    /// drained meanwhile are told in the next turn, for a driver that answers by sending more would never end this one.
    func settle() {
        flush()
        if !drained.isEmpty {
            var batch: [ConnectionID] = []
            swap(&batch, &drained)
            for id in batch where served(id) != nil { driver.drained(id) }
        }
        while true {
            flush()
            endSendings()
            if doomed.isEmpty, dirty.isEmpty, closings.isEmpty { break }
            var batch: [(slot: UInt32, cause: CloseCause)] = []
            swap(&batch, &doomed)
            for (slot, cause) in batch { bury(Int(slot), cause) }
        }
        outbox.reset()
    }

    private func endSendings() {
        if closings.isEmpty { return }
        for slot in closings { endSending(Int(slot)) }
        closings.removeAll(keepingCapacity: true)
    }

    /// Ends the sending side, once everything is sent: RFC 9112 §9.6 tells why the receiving side stays for a while.
    private func endSending(_ slot: Int) {
        let flags = records[slot].flags
        guard flags.contains(.closing), flags.isDisjoint(with: [.doomed, .lingering]), records[slot].backlog < 0 else { return }
        if flags.contains(.readEnded) { return doom(slot, .closed) }
        records[slot].flags.insert(.lingering)
        Socket.shutdownWrite(records[slot].fd)
        setDeadline(slot, limits.linger)
    }

    private func bury(_ slot: Int, _ cause: CloseCause) {
        let id = id(slot)
        loop.remove(records[slot].fd)
        deadlines.disarm(slot)
        releaseBacklog(slot)
        Socket.close(records[slot].fd)
        // The slot stays taken until the driver knows: what it opens meanwhile gets another one.
        records[slot].flags = []
        count -= 1
        statistics.closed &+= 1
        driver.closed(id, cause)
        records[slot] = ConnectionRecord(generation: id.generation &+ 1)
        freeSlots.append(id.slot)
        resumeAccepting()
    }
}
