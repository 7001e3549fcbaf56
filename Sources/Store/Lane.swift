import Bus
import Linux
import Logging
import Messaging
import Postgres
import Reactor
import StoreAPI
import Telemetry

/// What a lane tells the store's thread.
protocol LaneOwner: AnyObject {
    /// Publish, then answer. Orders leave the lane here, each exactly once.
    /// - Parameter replies: one per order.
    func settle(_ events: [BusEvent], _ orders: [PendingOrder], _ replies: [StoreReply])
    /// The tables are not there, or not those this program knows.
    func schemaIsMissing()
    func connectionMade()
    func availabilityChanged()
    /// A connection was made to a database that has this history.
    func found(_ epoch: Epoch)
    /// 64 random bits.
    func random() -> UInt64
}

/// Carries out what a `LaneFlow` decides: one connection, its timers, and the transaction in flight. Lives on the store's thread.
/// More than twelve stored properties, half of which are what it was made with.
final class Lane: LinkUser {
    /// The transaction that was sent last, until its end is known.
    private struct Transaction {
        let number: Int
        let batch: any Batch
        let statements: Int
        let started: MonotonicInstant
        var rows: [Rows] = []
        var error: PostgresError?
    }

    let name: LaneName
    private let loop: EventLoop
    private let statistics: StoreStatistics
    private let isShared: Bool
    private let log: Logger
    private unowned let owner: any LaneOwner
    private let link: Link
    private var flow: LaneFlow
    private var transaction: Transaction?
    /// The history of the database to which it is connected.
    private var epoch: Epoch?
    /// By the raw value of `LaneFlow.Timer`.
    private var timers = [TimerID?](repeating: nil, count: LaneFlow.Timer.allCases.count)
    private var events: [LaneFlow.Event] = []
    private var isHandling = false
    /// When each line was last logged that is logged once a minute at most.
    private var warnedAt: [String: MonotonicInstant] = [:]

    init(
        _ name: LaneName, loop: EventLoop, configuration: StoreConfiguration, statistics: StoreStatistics, history: History, log: Logger,
        owner: any LaneOwner
    ) {
        self.name = name
        self.loop = loop
        self.statistics = statistics
        isShared = configuration.isShared
        self.log = log
        self.owner = owner
        flow = LaneFlow(name.operations, claimsDatabase: name.claimsDatabase, limits: configuration.laneLimits)
        link = Link(
            name.rawValue, statements: name.statements, loop: loop, configuration: configuration, statistics: statistics, log: log,
            random: { [unowned owner] in owner.random() }, history: history, writesHistory: name.claimsDatabase)
        link.user = self
    }

    var isReady: Bool { link.isUp }

    /// Takes an order; `go()` begins its transaction. Orders that are taken before one `go()` share a transaction.
    func take(_ order: PendingOrder, _ operation: Operation) { handle(.order(order, operation)) }
    func go() { handle(.flush) }
    /// Drops those of the orders that have not reached the database.
    func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) { handle(.cancel(tokens, of: ObjectIdentifier(client))) }

    func connect() { link.connect() }

    /// Another lane reached the database, so the pause before the next attempt to connect is cut short.
    func hurry() { link.hurry() }

    /// Answers everything that is left and takes no more: the store is stopping.
    func close() {
        link.close()
        handle(.close)
    }

    // MARK: The flow

    private func handle(_ event: LaneFlow.Event) {
        // An action may cause an event, which is handled after the remaining actions.
        guard !isHandling else { return events.append(event) }
        isHandling = true
        for action in flow.handle(event, now: loop.now) { perform(action) }
        while !events.isEmpty {
            for action in flow.handle(events.removeFirst(), now: loop.now) { perform(action) }
        }
        isHandling = false
    }

    private func perform(_ action: LaneFlow.Action) {
        switch action {
        case .begin(let number, let task): begin(number, task)
        case .settle(let events, let orders, let replies):
            statistics.count(replies)
            owner.settle(events, orders, replies)
        case .start(let timer, let delay):
            timers[timer.rawValue] = loop.after(delay) { [unowned self] in
                timers[timer.rawValue] = nil
                handle(.timer(timer))
            }
        case .cancel(let timer):
            if let id = timers[timer.rawValue] { loop.cancel(id) }
            timers[timer.rawValue] = nil
        case .disconnect(let error): link.give(up: error)
        case .reportMissingSchema: owner.schemaIsMissing()
        case .note(let note): report(note)
        }
    }

    private func begin(_ number: Int, _ task: LaneTask) {
        let batch = task.batch
        let statements = batch.statements
        transaction = Transaction(number: number, batch: batch, statements: statements.count, started: .now)
        link.send(statements)
    }

    private func report(_ note: LaneNote) {
        switch note {
        case .poisonous: statistics.ordersPoisonous.add()
        case .overShare(let user, let count):
            statistics.ordersOverShare.add(UInt64(count))
            warn("a user has too many orders waiting for the database; some are answered as unavailable", ["user": "\(user?.name ?? "")"])
        case .slice: statistics.ingestSlices.add()
        case .impatient(let count):
            statistics.ordersImpatient.add(UInt64(count))
            warn("orders have waited too long for the database and are answered as unavailable", ["orders": "\(count)"])
        case .failed(let error): log.warning("the database cannot do it now", metadata: ["lane": "\(name.rawValue)", "error": "\(error)"])
        case .misunderstood:
            log.error("the database answered with rows that are not understood", metadata: ["lane": "\(name.rawValue)"])
        case .otherHub:
            statistics.otherHubs.set(1)
            guard !isShared else { return log.notice("another hub works on this database") }
            log.error("another hub works on this database: clients of one do not hear live what the other stores; set bus to postgres")
        case .noOtherHub:
            statistics.otherHubs.set(0)
            log.notice("no other hub works on this database any more")
        }
    }

    /// At most once a minute.
    private func warn(_ line: String, _ facts: Logger.Metadata) {
        guard warnedAt[line].map({ loop.now - $0 >= .seconds(60) }) ?? true else { return }
        warnedAt[line] = loop.now
        log.warning("\(line)", metadata: facts.merging(["lane": "\(name.rawValue)"]) { old, _ in old })
    }

    // MARK: The connection

    func linkIsUp(_ epoch: Epoch) {
        self.epoch = epoch
        owner.found(epoch)
        owner.connectionMade()
        owner.availabilityChanged()
        handle(.connected(epoch))
    }

    /// The database has another history than this connection knows.
    func leave(historiesBut epoch: Epoch) {
        guard link.isUp, self.epoch != epoch else { return }
        link.give(up: PostgresError(message: "the database went back to an earlier state", lost: true))
    }

    /// Connects again, because a new connection judges the database's history.
    func askForHistory() {
        guard link.isUp else { return }
        link.give(up: PostgresError(message: "the intake found the database behind what was stored", lost: true))
    }

    func linkIsLost(wasUp: Bool) {
        transaction = nil
        handle(.disconnected)
        if wasUp { owner.availabilityChanged() }
    }

    func schemaIsMissing() { owner.schemaIsMissing() }

    func linkAnswered(_ answer: Connection.Answer) {
        switch answer {
        case .rows(let rows): transaction?.rows.append(rows)
        case .failed(let error): if transaction?.error == nil { transaction?.error = error }
        case .skipped: break
        case .committed:
            guard let transaction else { return }
            self.transaction = nil
            statistics.record(transaction.started, on: name)
            handle(.finished(transaction: transaction.number, result(of: transaction)))
        }
    }

    private func result(of transaction: Transaction) -> LaneFlow.Result {
        if let error = transaction.error {
            statistics.transactionsFailed.add()
            return .failed(error, random: owner.random())
        }
        guard transaction.rows.count == transaction.statements else { return .misunderstood }
        if transaction.batch is ClaimBatch { return transaction.rows[0].bool(0, 0).map { .claimed($0) } ?? .misunderstood }
        return transaction.batch.outcome(of: transaction.rows).map { .committed($0) } ?? .misunderstood
    }
}

extension StoreConfiguration {
    fileprivate var laneLimits: LaneFlow.Limits {
        LaneFlow.Limits(
            ordersOfUser: ordersOfUser, longestWait: longestWait, answerDeadline: answerDeadline, longestBackoff: longestBackoff)
    }
}
