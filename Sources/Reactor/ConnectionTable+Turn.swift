import Linux

extension ConnectionTable: EventSource {
    func ready(_ token: EventToken, _ readiness: Poller.Readiness) {
        guard let slot = store.slot(token) else { return }
        var buffer: [UInt8] = []
        swap(&buffer, &receiveBuffer)
        defer { swap(&buffer, &receiveBuffer) }
        var space = buffer.mutableSpan
        switch store.handle(slot, readiness, into: &space) {
        case .nothing: return
        case .received(let count):
            var bytes = space._mutatingExtracting(0..<count)
            driver.received(store.id(slot), &bytes)
            store.answered(slot)
        case .peerClosed: driver.peerClosed(store.id(slot))
        }
    }

    var nextDeadline: MonotonicInstant? { store.nextDeadline }

    func fireDeadlines() {
        store.collectPassed(into: &passed)
        if passed.isEmpty { return }
        for slot in passed {
            if let id = store.takePassed(slot) { driver.deadline(id) }
        }
        passed.removeAll(keepingCapacity: true)
    }

    func heard() { store.flush() }

    var isUnsettled: Bool { store.isUnsettled }

    /// Sends queued frames, calls `drained`, and closes connections, until no work is left. Connections that drain meanwhile get
    /// `drained` in the next turn: a driver that answers it by sending more would keep this turn from ending.
    func settle() {
        guard store.isUnsettled else { return store.outbox.reset() }
        store.flush()
        var drained: [ConnectionID] = []
        swap(&drained, &store.drained)
        for id in drained where store.served(id) != nil { driver.drained(id) }
        while true {
            store.flush()
            store.endSendings()
            if store.doomed.isEmpty, store.dirty.isEmpty, store.closings.isEmpty { break }
            var doomed: [(slot: UInt32, cause: CloseCause)] = []
            swap(&doomed, &store.doomed)
            for (slot, cause) in doomed {
                let id = store.closeSocket(Int(slot))
                driver.closed(id, cause)
                store.release(id)
                resumeAccepting()
            }
        }
        store.outbox.reset()
    }
}
