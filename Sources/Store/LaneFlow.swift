import Bus
import Linux
import Messaging
import Pacing
import Postgres
import StoreAPI

/// Decides what one connection to the database does next: which transaction begins, which orders are answered, which wait.
///
/// A machine: events and the time go in, actions come out. `Lane` carries them out. At most one transaction is in flight; orders that
/// arrive meanwhile become the next one.
///
/// More than twelve stored properties: the states of the connection, of the transaction, of the lock and of waiting.
///
/// Invariant: an order that was handed in is either in `waiting` or in `inFlight` or the `suspect`, until one `settle` action answers it.
struct LaneFlow {
    enum LinkState { case down, up, closed }

    /// The lock by which a hub knows that it is the only one on its database.
    private enum Claim {
        /// Another lane asks for it.
        case none
        /// The next transaction asks for it.
        case due
        /// `Timer.claim` runs. A hub that comes later must be noticed, too.
        case later
    }

    struct InFlight {
        let transaction: Int
        var task: LaneTask
        let began: MonotonicInstant
        var isOverdue = false
        /// Indices of the orders that were answered because they had waited long enough.
        var answered: Set<Int> = []
    }

    let limits: Limits
    var link = LinkState.down
    private var epoch: Epoch?
    var waiting: WaitingOrders
    var inFlight: InFlight?
    private var lastTransaction = 0
    private var claim: Claim
    private var knowsOtherHub = false
    /// When orders that have waited long enough were last looked for.
    var lookedAt: MonotonicInstant?
    /// Drafts of orders that were given up although they may have been committed.
    var unannounced: [EntryDraft] = []
    /// The database refused this order alone. A probe tells whether the order or the database is at fault.
    private var suspect: (order: PendingOrder, operation: Operation, reason: String)?
    var backoff: Backoff
    var isResting = false
    var isExpiryTimed = false
    var gathering = Gathering()

    init(_ operations: [Operation], claimsDatabase: Bool, limits: Limits) {
        self.limits = limits
        waiting = WaitingOrders(of: operations)
        claim = claimsDatabase ? .due : .none
        backoff = .ofStore(longest: limits.longestBackoff)
    }

    mutating func handle(_ event: Event, now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .order(let order, let operation):
            accept(order, operation, now, &actions)
            return actions
        case .flush: admit(&actions)
        case .cancel(let tokens, let client):
            let orders = waiting.take { tokens.contains($0.order.token) && ObjectIdentifier($0.order.client) == client }
            if !orders.isEmpty { actions.append(.settle([], orders, orders.map { _ in .failed(.cancelled) })) }
            return actions
        case .connected(let epoch):
            if link == .down { link = .up }
            let isOther = self.epoch != nil && self.epoch != epoch
            self.epoch = epoch
            if isOther { giveUp(waiting.take { $0.order.isOutdated(in: epoch) }, &actions) }
        case .disconnected: disconnected(now, &actions)
        case .finished(let transaction, let result):
            guard let finished = inFlight, finished.transaction == transaction else { return [] }
            inFlight = nil
            actions.append(.cancel(.answer))
            end(finished, result, now, &actions)
            lookForExpired(now, &actions)
        case .timer(let timer): fired(timer, now, &actions)
        case .close: close(&actions)
        }
        begin(now, &actions)
        return actions
    }

    // MARK: Orders

    private mutating func accept(_ order: PendingOrder, _ operation: Operation, _ now: MonotonicInstant, _ actions: inout [Action]) {
        var order = order
        switch link {
        case .up:
            if order.order.isOutdated(in: epoch) { return giveUp([order], &actions) }
            if operation.descriptor.isImpatient { order.wait(until: now + limits.longestWait) }
        case .down where operation.descriptor.waitsWhileAway:
            order.wait(until: now + limits.longestWait)
            timeExpiry(&actions)
        case .down, .closed: return giveUp([order], &actions)
        }
        waiting.append(order, operation)
    }

    /// Sees that no user has more orders waiting than may.
    private mutating func admit(_ actions: inout [Action]) {
        let surplus = waiting.admit(ofUser: limits.ordersOfUser)
        guard let first = surplus.first else { return }
        actions.append(.note(.overShare(first.order.user, count: surplus.count)))
        giveUp(surplus, &actions)
    }

    /// Begins the next transaction if none is in flight.
    private mutating func begin(_ now: MonotonicInstant, _ actions: inout [Action]) {
        guard link == .up, inFlight == nil, !isResting else { return }
        let task: LaneTask
        if case .due = claim {
            task = .claim
        } else if suspect != nil {
            task = .probe
        } else if !unannounced.isEmpty {
            task = .recall(unannounced)
        } else if gathers(now, &actions) {
            return
        } else if let (operation, orders) = waiting.next() {
            task = .orders(operation, orders)
        } else {
            return
        }
        gathered(task, now, &actions)
        lastTransaction += 1
        inFlight = InFlight(transaction: lastTransaction, task: task, began: now)
        actions += [.start(.answer, after: firstLook(task)), .begin(transaction: lastTransaction, task)]
    }

    /// Answers the orders because of the database.
    mutating func giveUp(_ orders: [PendingOrder], _ actions: inout [Action]) {
        if orders.isEmpty { return }
        let replies = orders.map { pending -> StoreReply in
            let request = pending.order.request
            remember(pending)
            return .failed(Operation(request).descriptor.outage(of: request, isSlow: pending.isSlow))
        }
        actions.append(.settle([], orders, replies))
    }

    /// The order is about to be answered with a failure, although it may have been committed.
    mutating func remember(_ order: PendingOrder) {
        guard order.unsettled else { return }
        unannounced += Operation(order.order.request).descriptor.drafts(of: order.order.request)
    }

    // MARK: The end of a transaction

    private mutating func end(_ finished: InFlight, _ result: Result, _ now: MonotonicInstant, _ actions: inout [Action]) {
        if !finished.answered.isEmpty, case .orders(let operation, let orders) = finished.task {
            return endLate(orders, operation, finished.answered, result, now, &actions)
        }
        switch (result, finished.task) {
        case (.failed(let error, let random), let task): failed(task, error, random, now, &actions)
        case (.committed(let outcome), .orders(let operation, let orders)) where outcome.partial != nil && orders.count == 1:
            backoff.succeeded()
            var order = orders[0]
            order.stored = outcome.partial ?? []
            order.unsettled = false
            waiting.prepend(order, operation)
            actions.append(.note(.slice))
            if !outcome.events.isEmpty { actions.append(.settle(outcome.events, [], [])) }
        case (.committed(let outcome), .orders(let operation, let orders)):
            guard outcome.replies.count + outcome.left.count == orders.count, outcome.left.isEmpty || operation.descriptor.successor != nil
            else { return misunderstood(finished.task, &actions) }
            backoff.succeeded()
            settle(orders, operation, outcome, &actions)
        case (.committed(let outcome), .recall(let drafts)):
            unannounced.removeFirst(drafts.count)
            backoff.succeeded()
            if !outcome.events.isEmpty { actions.append(.settle(outcome.events, [], [])) }
        case (.committed, .probe), (.misunderstood, .probe):
            backoff.succeeded()
            if let suspect = suspect.take() { refuse(suspect.order, suspect.reason, &actions) }
        case (.claimed(let isAlone), .claim):
            backoff.succeeded()
            claimed(isAlone, &actions)
        case (.committed, .claim), (.claimed, .orders), (.claimed, .recall), (.claimed, .probe), (.misunderstood, _):
            misunderstood(finished.task, &actions)
        }
    }

    /// Queues the orders that the batch left for the operation's successor, and answers the others.
    mutating func settle(_ orders: [PendingOrder], _ operation: Operation, _ outcome: BatchOutcome, _ actions: inout [Action]) {
        var orders = orders
        if let successor = operation.descriptor.successor, !outcome.left.isEmpty {
            for index in outcome.left { waiting.append(orders[index], successor) }
            let left = Set(outcome.left)
            orders = orders.indices.filter { !left.contains($0) }.map { orders[$0] }
        }
        if orders.isEmpty, outcome.events.isEmpty { return }
        actions.append(.settle(outcome.events, orders, outcome.replies))
    }

    /// One hub does not hear what another stores: users of one would miss live what the other has committed.
    private mutating func claimed(_ isAlone: Bool, _ actions: inout [Action]) {
        if isAlone == knowsOtherHub { actions.append(.note(isAlone ? .noOtherHub : .otherHub)) }
        knowsOtherHub = !isAlone
        claimLater(&actions)
    }

    private mutating func claimLater(_ actions: inout [Action]) {
        claim = .later
        actions.append(.start(.claim, after: limits.claimInterval))
    }

    mutating func failed(
        _ task: LaneTask, _ error: PostgresError, _ random: UInt64, _ now: MonotonicInstant, _ actions: inout [Action]
    ) {
        if case .probe = task { outage(error, now, &actions) }
        switch (error.meaning, task) {
        case (.data, .orders(let operation, let orders)):
            if orders.count > 1 || !operation.descriptor.lane.writes { return halve(orders, operation, error.description, &actions) }
            suspect = (orders[0], operation, error.description)
        case (.conflict, .orders(let operation, let orders)): conflicted(orders, operation, &actions)
        case (.slow, .orders(let operation, let orders)) where !operation.descriptor.lane.writes:
            // One of them may be slow, and the others innocent. A slow one alone would delay the others again.
            actions.append(.note(.failed(error)))
            if orders.count == 1 { return giveUp(orders, &actions) }
            halve(orders, operation, error.description, &actions)
        case (.passing, .orders(let operation, var orders)), (.slow, .orders(let operation, var orders)):
            actions.append(.note(.failed(error)))
            for index in orders.indices { orders[index].isSlow = error.meaning == .slow }
            keep(orders, operation, now, &actions)
            rest(random, &actions)
        case (.data, .recall(let drafts)):
            // The database cannot even look for such a key, so no entry has it.
            unannounced.removeFirst(drafts.count)
            rest(random, &actions)
        case (.data, .claim), (.data, .probe), (.conflict, _), (.passing, _), (.slow, _): rest(random, &actions)
        case (.schema, _), (.readOnly, _):
            if case .orders(let operation, let orders) = task { keep(orders, operation, now, &actions) }
            if error.meaning == .schema { actions.append(.reportMissingSchema) }
            disconnect(error, &actions)
        }
    }

    /// The transaction was rolled back through no fault of these orders. They run again at once, each at most so often.
    private mutating func conflicted(_ orders: [PendingOrder], _ operation: Operation, _ actions: inout [Action]) {
        var orders = orders
        for index in orders.indices { orders[index].conflicts += 1 }
        giveUp(orders.filter { $0.conflicts > limits.conflicts }, &actions)
        waiting.rerun(orders.filter { $0.conflicts <= limits.conflicts }, operation)
    }

    /// The database refused one of these orders. Halving finds it, and the others are carried out.
    private mutating func halve(_ orders: [PendingOrder], _ operation: Operation, _ reason: String, _ actions: inout [Action]) {
        if orders.count == 1 { return refuse(orders[0], reason, &actions) }
        let middle = orders.count / 2
        waiting.rerun(Array(orders[middle...]), operation)
        waiting.rerun(Array(orders[..<middle]), operation)
    }

    private mutating func refuse(_ order: PendingOrder, _ reason: String, _ actions: inout [Action]) {
        remember(order)
        actions += [.note(.poisonous), .settle([], [order], [.failed(.refused(reason))])]
    }

    /// The database refuses a write that is known to be good. It is treated as away until a transaction succeeds.
    private mutating func outage(_ error: PostgresError, _ now: MonotonicInstant, _ actions: inout [Action]) {
        actions.append(.note(.failed(error)))
        if let suspect = suspect.take() { keep([suspect.order], suspect.operation, now, &actions) }
        giveUp(waiting.outage(waitingUntil: now + limits.longestWait), &actions)
    }

    mutating func misunderstood(_ task: LaneTask, _ actions: inout [Action]) {
        actions.append(.note(.misunderstood))
        switch task {
        case .orders(let operation, var orders):
            for index in orders.indices { orders[index].unsettled = true }
            halve(orders, operation, "rows that are not understood", &actions)
        // The same rows would come again, without end.
        case .recall(let drafts): unannounced.removeFirst(drafts.count)
        case .claim: claimLater(&actions)
        case .probe: break
        }
    }

    /// The orders of a transaction that was rolled back wait, or are given up.
    private mutating func keep(_ orders: [PendingOrder], _ operation: Operation, _ now: MonotonicInstant, _ actions: inout [Action]) {
        guard operation.descriptor.waitsWhileAway else { return giveUp(orders, &actions) }
        var orders = orders
        for index in orders.indices { orders[index].wait(until: now + limits.longestWait) }
        waiting.rerun(orders, operation)
    }

    /// The server is short of something: no transaction begins for a while.
    private mutating func rest(_ random: UInt64, _ actions: inout [Action]) {
        isResting = true
        actions.append(.start(.rest, after: backoff.next(random: random)))
        timeExpiry(&actions)
    }

    // MARK: The connection

    private mutating func disconnect(_ error: PostgresError, _ actions: inout [Action]) {
        link = .down
        actions.append(.disconnect(error))
    }

    private mutating func disconnected(_ now: MonotonicInstant, _ actions: inout [Action]) {
        guard link != .closed else { return }
        link = .down
        stopTimers(&actions)
        if let interrupted = inFlight {
            inFlight = nil
            if case .orders(let operation, let orders) = interrupted.task {
                var open: [PendingOrder] = []
                for index in orders.indices {
                    var order = orders[index]
                    order.unsettled = true
                    order.isSlow = interrupted.isOverdue
                    if interrupted.answered.contains(index) { remember(order) } else { open.append(order) }
                }
                waiting.rerun(open, operation)
            }
        }
        if let suspect = suspect.take() { waiting.rerun([suspect.order], suspect.operation) }
        giveUp(waiting.outage(waitingUntil: now + limits.longestWait), &actions)
        if !waiting.isEmpty { timeExpiry(&actions) }
    }

    /// Stops the timers that belong to the connection. The server frees the lock when the connection ends.
    private mutating func stopTimers(_ actions: inout [Action]) {
        if case .later = claim { actions.append(.cancel(.claim)) }
        if claim != .none { claim = .due }
        if isResting { actions.append(.cancel(.rest)) }
        isResting = false
        stopGathering(&actions)
        if inFlight != nil { actions.append(.cancel(.answer)) }
    }

    private mutating func close(_ actions: inout [Action]) {
        guard link != .closed else { return }
        link = .closed
        stopTimers(&actions)
        if isExpiryTimed { actions.append(.cancel(.expiry)) }
        isExpiryTimed = false
        if let inFlight, case .orders(_, let orders) = inFlight.task {
            giveUp(orders.indices.filter { !inFlight.answered.contains($0) }.map { orders[$0] }, &actions)
        }
        inFlight = nil
        if let suspect = suspect.take() { giveUp([suspect.order], &actions) }
        giveUp(waiting.takeAll(), &actions)
    }

    // MARK: Timers

    private mutating func fired(_ timer: Timer, _ now: MonotonicInstant, _ actions: inout [Action]) {
        switch timer {
        case .answer:
            guard let inFlight, link == .up else { return }
            let left = inFlight.began + limits.answerDeadline - now
            guard left <= .zero else {
                expire(now, &actions)
                return actions.append(.start(.answer, after: min(limits.expiryInterval, left)))
            }
            self.inFlight?.isOverdue = true
            disconnect(PostgresError(message: "no answer for \(limits.answerDeadline.inMilliseconds)", lost: true), &actions)
        case .rest: isResting = false
        case .gather:
            gathering.isTimed = false
            gathering.isOver = true
        case .claim: if case .later = claim { claim = .due }
        case .expiry:
            isExpiryTimed = false
            guard link == .down || isResting else { return }
            expire(now, &actions)
            if !waiting.isEmpty { timeExpiry(&actions) }
        }
    }

    private mutating func timeExpiry(_ actions: inout [Action]) {
        guard !isExpiryTimed else { return }
        isExpiryTimed = true
        actions.append(.start(.expiry, after: limits.expiryInterval))
    }
}

extension Backoff {
    /// How the store paces its attempts to use the database.
    static func ofStore(longest: Duration) -> Backoff { Backoff(first: .milliseconds(50), longest: longest, jitter: .upperHalf) }
}
