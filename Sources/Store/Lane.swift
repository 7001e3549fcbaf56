import Bus
import Linux
import Logging
import Messaging
import Pacing
import Postgres
import Reactor
import StoreAPI
import Telemetry

/// What a lane tells the store's thread.
protocol LaneOwner: AnyObject {
    /// Publish, then answer. Orders leave the lane here, each exactly once.
    /// - Parameter replies: one per order.
    func settle(_ events: [BusEvent], _ orders: [PendingOrder], _ replies: some Collection<StoreReply>)
    /// The tables are not there, or not those this program knows.
    func schemaIsMissing()
    func availabilityChanged()
    /// 64 random bits.
    func random() -> UInt64
}

/// One connection and the orders that go over it: at most one transaction is under way, and what arrives meanwhile
/// becomes the next one.
///
/// Invariant: an accepted order is in exactly one of `queues`, `again` and `flight`, until it is handed to the owner.
/// Lives on the store's thread.
final class Lane: LinkUser {
    private enum Errand {
        case orders(Work)
        /// Looks for `unannounced`.
        case recall
        /// Takes the lock by which a hub knows that it is the only one.
        case claim

        var work: Work? {
            if case .orders(let work) = self { work } else { nil }
        }
    }

    private struct Flight {
        let errand: Errand
        let orders: [PendingOrder]
        let batch: any Batch
        let statements: Int
        var rows: [Rows] = []
        var error: PostgresError?
        var isOverdue = false
        let departed: MonotonicInstant
        let deadline: TimerID
    }

    let name: String
    private let works: [Work]
    private let loop: EventLoop
    private let configuration: StoreConfiguration
    private let statistics: StoreStatistics
    private let log: Logger
    private unowned let owner: any LaneOwner

    private let link: Link
    private var isClosed = false
    private var backoff: Backoff
    private var flight: Flight?
    /// No transaction before this timer: the server is short of something.
    private var pause: TimerID?
    private var claim: Claim
    private var watchdog: TimerID?

    private var queues: [OrderQueue]
    /// Whose turn it is among `works`.
    private var turn = 0
    /// Orders to run before all others, each element as one transaction: what was in flight when a connection was lost,
    /// and the halves of a batch with poison in it. Last in, first out.
    private var again: [(work: Work, orders: [PendingOrder])] = []
    private enum Claim {
        /// Another lane's business.
        case none
        /// To be tried in the next transaction.
        case due
        case later(TimerID)
        case held
    }

    /// How often it is looked whether another hub has gone.
    private static let claimAgain: Duration = .seconds(5)

    /// Drafts answered `.unavailable` that may have been committed all the same.
    private var unannounced: [EntryDraft] = []

    init(
        _ name: String, _ works: [Work], claims: Bool, loop: EventLoop, configuration: StoreConfiguration, statistics: StoreStatistics,
        log: Logger, owner: any LaneOwner
    ) {
        claim = claims ? .due : .none
        self.name = name
        self.works = works
        self.loop = loop
        self.configuration = configuration
        self.statistics = statistics
        self.log = log
        self.owner = owner
        backoff = Backoff(longest: configuration.longestBackoff)
        queues = works.map { _ in OrderQueue() }
        link = Link(
            name, statements: Statement.allCases.filter { statement in works.contains { statement.serves($0) } }, loop: loop,
            configuration: configuration, statistics: statistics, log: log, random: { [unowned owner] in owner.random() })
        link.user = self
    }

    var isReady: Bool { link.isUp }

    // MARK: Orders

    /// Takes an order; `go()` runs it. Several are taken before one `go()`, so that they share a transaction.
    func take(_ order: PendingOrder, _ work: Work) {
        if !isReady {
            guard work.waitsWhileAway, !isClosed else { return answer([order], .failed(.unavailable)) }
            var order = order
            order.patience = loop.now + configuration.patience
            enqueue(order, work)
            watchPatience()
        } else {
            enqueue(order, work)
        }
    }

    private func enqueue(_ order: PendingOrder, _ work: Work) {
        guard let index = works.firstIndex(of: work) else { return }
        queues[index].append(order)
    }

    /// Starts the next transaction if none is under way.
    func go() {
        guard link.isUp, flight == nil, pause == nil else { return }
        if case .due = claim {
            depart(.claim, [], ClaimBatch())
        } else if !unannounced.isEmpty {
            depart(.recall, [], RecallBatch(drafts: unannounced))
        } else if let (work, orders) = again.popLast() {
            depart(.orders(work), orders, work.batch(of: orders))
        } else {
            for step in 0..<works.count {
                let index = (turn + step) % works.count
                if queues[index].isEmpty { continue }
                turn = index + 1
                let work = works[index]
                let orders = queues[index].takeBatch(of: work)
                return depart(.orders(work), orders, work.batch(of: orders))
            }
        }
    }

    private func depart(_ errand: Errand, _ orders: [PendingOrder], _ batch: any Batch) {
        let statements = batch.statements
        let deadline = loop.after(configuration.answerDeadline) { [unowned self] in
            flight?.isOverdue = true
            link.give(up: PostgresError(message: "no answer for \(configuration.answerDeadline)", lost: true))
        }
        flight = Flight(
            errand: errand, orders: orders, batch: batch, statements: statements.count, departed: .now, deadline: deadline)
        link.send(statements)
    }

    private func arrived(_ flight: Flight) {
        loop.cancel(flight.deadline)
        self.flight = nil
        record(flight)
        if let error = flight.error {
            statistics.transactionsFailed.add()
            failed(flight, error)
        } else if flight.rows.count == flight.statements, let outcome = flight.batch.outcome(of: flight.rows),
            outcome.replies.count + outcome.left.count == flight.orders.count
        {
            switch flight.errand {
            case .orders: break
            case .recall: unannounced.removeAll()
            case .claim: claimed(flight.rows.first?.bool(0, 0) == true)
            }
            backoff.succeeded()
            settle(passOn(flight.orders, flight.errand.work, outcome.left), outcome)
        } else {
            log.error("the database answered with rows that are not understood", metadata: ["lane": "\(name)"])
            misunderstood(flight)
        }
        go()
    }

    /// Queues what the batch left, and answers with the others.
    private func passOn(_ orders: [PendingOrder], _ work: Work?, _ left: [Int]) -> [PendingOrder] {
        guard let work, !left.isEmpty else { return orders }
        for index in left { enqueue(orders[index], work.next) }
        let isLeft = Set(left)
        return orders.indices.filter { !isLeft.contains($0) }.map { orders[$0] }
    }

    /// Nothing is carried between two hubs: who follows a channel at one does not hear what the other stores.
    private func claimed(_ isAlone: Bool) {
        let wasTold = statistics.otherHubs.value == 1
        statistics.otherHubs.set(isAlone ? 0 : 1)
        if isAlone {
            claim = .held
            if wasTold { log.notice("no other hub works on this database any more") }
        } else {
            if !wasTold {
                log.error("another hub works on this database: clients of one do not hear live what the other stores; run one")
            }
            claim = .later(
                loop.after(Self.claimAgain) { [unowned self] in
                    claim = .due
                    go()
                })
        }
    }

    private func settle(_ orders: [PendingOrder], _ outcome: BatchOutcome) {
        var (stored, duplicate, moved) = (0, 0, 0)
        for reply in outcome.replies {
            switch reply {
            case .stored(let drafts):
                for draft in drafts {
                    if draft.duplicate { duplicate += 1 } else { stored += 1 }
                }
            case .partlyStored(let drafts):
                for case let draft? in drafts {
                    if draft.duplicate { duplicate += 1 } else { stored += 1 }
                }
            case .moved(_, changed: true): moved += 1
            case .moved, .opened, .snapshot, .state, .page, .failed: break
            }
        }
        statistics.entriesStored.add(UInt64(stored))
        statistics.entriesDuplicate.add(UInt64(duplicate))
        statistics.cursorsMoved.add(UInt64(moved))
        owner.settle(outcome.events, orders, outcome.replies)
    }

    private func record(_ flight: Flight) {
        statistics.transactions.add()
        let microseconds = UInt64(clamping: (MonotonicInstant.now - flight.departed).wholeNanoseconds / 1_000)
        switch flight.errand.work {
        case .entries, .conversations, nil: statistics.entryTransactions.record(microseconds: microseconds)
        case .acks, .cursors: statistics.cursorTransactions.record(microseconds: microseconds)
        case .states, .pages: statistics.readTransactions.record(microseconds: microseconds)
        }
    }

    // MARK: Failures of a transaction

    /// The transaction was rolled back, and the connection lives.
    private func failed(_ flight: Flight, _ error: PostgresError) {
        guard let work = flight.errand.work else {
            // Data the database cannot even look for was never stored.
            if case .recall = flight.errand, error.meaning == .data { unannounced.removeAll() }
            return rest(error)
        }
        switch error.meaning {
        case .data: halve(work, flight.orders, error.description)
        case .conflict:
            var orders = flight.orders
            for index in orders.indices { orders[index].conflicts += 1 }
            let tired = orders.filter { $0.conflicts > Self.mostConflicts }
            let fresh = orders.filter { $0.conflicts <= Self.mostConflicts }
            giveUp(tired)
            if !fresh.isEmpty { again.append((work, fresh)) }
        case .passing, .slow:
            log.warning("the database cannot do it now", metadata: ["lane": "\(name)", "error": "\(error)"])
            var orders = flight.orders
            for index in orders.indices { orders[index].isSlow = error.meaning == .slow }
            if work.waitsWhileAway { keep(orders, work) } else { giveUp(orders) }
            rest(error)
        case .schema, .readOnly:
            if work.waitsWhileAway { keep(flight.orders, work) } else { giveUp(flight.orders) }
            if error.meaning == .schema { owner.schemaIsMissing() }
            link.give(up: error)
        }
    }

    private static let mostConflicts = 5

    /// One of these orders cannot be carried out: it is searched for, and the others are.
    private func halve(_ work: Work, _ orders: [PendingOrder], _ reason: String) {
        if orders.count == 1 {
            statistics.ordersPoisonous.add()
            return answer(orders, .failed(.refused(reason)))
        }
        let middle = orders.count / 2
        again.append((work, Array(orders[middle...])))
        again.append((work, Array(orders[..<middle])))
    }

    /// The transaction was committed, and a row of it is not what the statements promise.
    private func misunderstood(_ flight: Flight) {
        guard let work = flight.errand.work else {
            // Looked for again, they would be found as they are, for ever.
            if case .recall = flight.errand { unannounced.removeAll() }
            return
        }
        var orders = flight.orders
        for index in orders.indices { orders[index].unsettled = true }
        halve(work, orders, "rows that are not understood")
    }

    /// Leaves the server in peace for a while.
    private func rest(_ error: PostgresError) {
        pause = loop.after(backoff.next(random: owner.random())) { [unowned self] in
            pause = nil
            go()
        }
        watchPatience()
    }

    private func keep(_ orders: [PendingOrder], _ work: Work) {
        if orders.isEmpty { return }
        var orders = orders
        for index in orders.indices where orders[index].patience == nil {
            orders[index].patience = loop.now + configuration.patience
        }
        again.append((work, orders))
        watchPatience()
    }

    private func answer(_ orders: [PendingOrder], _ reply: StoreReply) {
        if orders.isEmpty { return }
        owner.settle([], orders, repeatElement(reply, count: orders.count))
    }

    private func giveUp(_ orders: [PendingOrder]) {
        if orders.isEmpty { return }
        let replies = orders.map { pending -> StoreReply in
            switch pending.order.request {
            case .ingest(let drafts, _):
                if pending.unsettled { unannounced.append(contentsOf: drafts) }
                return .failed(pending.isSlow ? .tooSlow : .unavailable)
            case .append(let draft):
                if pending.unsettled { unannounced.append(draft) }
            case .open, .snapshot, .conversations, .state, .page, .move: break
            }
            return .failed(.unavailable)
        }
        owner.settle([], orders, replies)
    }

    // MARK: The connection

    func connect() { link.connect() }

    /// Another lane reached the database: no need to wait out the pause.
    func hurry() { link.hurry() }

    func linkIsUp() {
        owner.availabilityChanged()
        go()
    }

    func linkAnswered(_ answer: Connection.Answer) {
        switch answer {
        case .rows(let rows): flight?.rows.append(rows)
        case .failed(let error): if flight?.error == nil { flight?.error = error }
        case .skipped: break
        case .committed:
            if let flight { arrived(flight) }
        }
    }

    func schemaIsMissing() { owner.schemaIsMissing() }

    func linkIsLost(wasUp: Bool) {
        let interrupted = flight
        clear()
        if let interrupted, let work = interrupted.errand.work {
            var orders = interrupted.orders
            for index in orders.indices {
                orders[index].unsettled = true
                orders[index].isSlow = interrupted.isOverdue
            }
            keep(orders, work)
        }
        let halves = again
        again.removeAll()
        for (work, orders) in halves { keep(orders, work) }
        for (index, work) in works.enumerated() {
            if work.waitsWhileAway {
                // In their place: behind what was under way, and in batches that may share a transaction.
                queues[index].wait(until: loop.now + configuration.patience)
                watchPatience()
            } else {
                giveUp(queues[index].takeAll())
            }
        }
        if wasUp { owner.availabilityChanged() }
    }

    private func clear() {
        switch claim {
        case .none, .due: break
        case .later(let timer):
            loop.cancel(timer)
            claim = .due
        // The server gives it up with the connection.
        case .held: claim = .due
        }
        if let pause { loop.cancel(pause) }
        if let flight { loop.cancel(flight.deadline) }
        pause = nil
        flight = nil
    }

    // MARK: Patience

    /// Looks every 100 ms, while something waits for the database, for orders that have waited long enough.
    private func watchPatience() {
        guard watchdog == nil else { return }
        watchdog = loop.after(.milliseconds(100)) { [unowned self] in
            watchdog = nil
            losePatience()
        }
    }

    private func losePatience() {
        guard !isReady || pause != nil else { return }
        var waits = false
        var tired: [PendingOrder] = []
        let now = loop.now
        func isTired(_ order: PendingOrder) -> Bool { order.patience.map { $0 <= now } ?? false }
        again = again.compactMap { work, orders in
            tired.append(contentsOf: orders.filter(isTired))
            let patient = orders.filter { !isTired($0) }
            return patient.isEmpty ? nil : (work, patient)
        }
        for index in queues.indices {
            tired.append(contentsOf: queues[index].removeAll(where: isTired))
            waits = waits || !queues[index].isEmpty
        }
        giveUp(tired)
        if waits || !again.isEmpty { watchPatience() }
    }

    /// Answers everything that is left and takes no more: the store is stopping.
    func close() {
        isClosed = true
        link.close()
        let interrupted = flight
        clear()
        if let watchdog { loop.cancel(watchdog) }
        if let interrupted { giveUp(interrupted.orders) }
        for (_, orders) in again { giveUp(orders) }
        again.removeAll()
        for index in queues.indices { giveUp(queues[index].takeAll()) }
    }
}
