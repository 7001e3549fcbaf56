import Linux
import Messaging
import Pacing
import Postgres

// Orders are answered when they have waited long enough, whatever the database does meanwhile.

extension LaneFlow {
    /// A transaction that takes longer than orders wait is looked after until it ends.
    func firstLook(_ task: LaneTask) -> Duration { min(limits.longestWait + limits.expiryInterval, limits.answerDeadline) }

    /// Answers the orders that have waited long enough, also those of the transaction in flight. That one may still be committed.
    mutating func expire(_ now: MonotonicInstant, _ actions: inout [Action]) {
        lookedAt = now
        func isExpired(_ order: PendingOrder) -> Bool { order.waitsUntil.map { $0 <= now } ?? false }
        var expired: [PendingOrder] = []
        if let flight = inFlight, case .orders(let operation, let orders) = flight.task, operation.descriptor.isImpatient {
            for index in orders.indices where isExpired(orders[index]) && inFlight?.answered.insert(index).inserted == true {
                expired.append(orders[index])
            }
        }
        expired += waiting.take(where: isExpired)
        if expired.isEmpty { return }
        actions.append(.note(.impatient(count: expired.count)))
        giveUp(expired, &actions)
    }

    /// Transactions succeed, and orders come faster than they are carried out.
    mutating func lookForExpired(_ now: MonotonicInstant, _ actions: inout [Action]) {
        guard !waiting.isEmpty else { return }
        guard let last = lookedAt else {
            lookedAt = now
            return
        }
        if now - last >= limits.expiryInterval { expire(now, &actions) }
    }

    /// A transaction ends of which some orders were answered meanwhile. What it has stored is announced. Those orders are not carried out
    /// again.
    mutating func endLate(
        _ orders: [PendingOrder], _ operation: Operation, _ answered: Set<Int>, _ result: Result, _ now: MonotonicInstant,
        _ actions: inout [Action]
    ) {
        let open = orders.indices.filter { !answered.contains($0) }
        switch result {
        case .committed(let outcome) where outcome.replies.count + outcome.left.count == orders.count:
            backoff.succeeded()
            let left = Set(outcome.left)
            var rest = BatchOutcome(events: outcome.events, replies: [])
            var replies = outcome.replies.makeIterator()
            for index in orders.indices {
                guard !left.contains(index) else {
                    if !answered.contains(index), let at = open.firstIndex(of: index) { rest.left.append(at) }
                    continue
                }
                if let reply = replies.next(), !answered.contains(index) { rest.replies.append(reply) }
            }
            settle(open.map { orders[$0] }, operation, rest, &actions)
        case .committed, .misunderstood, .claimed:
            for index in answered {
                var order = orders[index]
                order.unsettled = true
                remember(order)
            }
            misunderstood(.orders(operation, open.map { orders[$0] }), &actions)
        case .failed(let error, let random):
            if open.isEmpty { actions.append(.note(.failed(error))) }
            failed(open.isEmpty ? .recall([]) : .orders(operation, open.map { orders[$0] }), error, random, now, &actions)
        }
    }
}
