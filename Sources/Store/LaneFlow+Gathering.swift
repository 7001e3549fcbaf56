import Linux

// Orders that nobody waits for share a transaction with those of the next moment.

extension LaneFlow {
    /// What is known of the stream of gathered orders.
    struct Gathering {
        /// The last transaction of such orders: when it began, and how many it carried out.
        var last: (began: MonotonicInstant, orders: Int)?
        /// `Timer.gather` runs.
        var isTimed = false
        /// The wait is over.
        var isOver = false
    }

    /// Whether what waits should wait for more. A transaction costs the database about as much for one order as for five, so a steady stream of
    /// acknowledgements from many users goes into one transaction for each tick of the loop. The acknowledgements of a single user, of whom
    /// there is never more than one, do not wait; nor does anything that waits together with another kind of order.
    mutating func gathers(_ now: MonotonicInstant, _ actions: inout [Action]) -> Bool {
        guard !gathering.isOver, let last = gathering.last, last.orders > 1, now - last.began < limits.gatheringStream,
            let count = waiting.gathering, count < limits.gatheredOrders
        else { return false }
        if !gathering.isTimed {
            gathering.isTimed = true
            actions.append(.start(.gather, after: limits.gatheringTime))
        }
        return true
    }

    /// A transaction begins.
    mutating func gathered(_ task: LaneTask, _ now: MonotonicInstant, _ actions: inout [Action]) {
        if case .orders(let operation, let orders) = task, operation.descriptor.gathers { gathering.last = (now, orders.count) }
        stopGathering(&actions)
    }

    mutating func stopGathering(_ actions: inout [Action]) {
        if gathering.isTimed { actions.append(.cancel(.gather)) }
        gathering.isTimed = false
        gathering.isOver = false
    }
}
