import Bus
import Linux
import Logging
import Messaging
import Pacing
import Postgres
import Reactor
import StoreAPI
import Telemetry

/// The store's own thread: brings the schema up to date, and hands orders to lanes, outcomes to clients and events to the bus. Five of its
/// stored properties are what it was made with.
final class StoreThread: LaneOwner {
    private let loop: EventLoop
    private let front: StoreFront
    private let configuration: StoreConfiguration
    private let bus: any Bus
    private let log: Logger
    private let withdrawals: WithdrawalWatch
    private let switches: SwitchWatch
    private let neighbours: Neighbours?
    private let retention: Retention
    private var lanes: [Lane] = []
    /// The index of its lane, by the raw value of an operation.
    private var laneOf: [Int] = []
    private var migrationBackoff: Backoff
    private var migration: Thread?
    private let history: History
    private let historyChanged: @Sendable () -> Void
    private var dice = SystemRandomNumberGenerator()
    private var isMigrated = false
    private var isStopping = false

    init(
        loop: EventLoop, front: StoreFront, configuration: StoreConfiguration, bus: any Bus, log: Logger,
        historyChanged: @escaping @Sendable () -> Void
    ) {
        self.loop = loop
        self.front = front
        self.configuration = configuration
        self.bus = bus
        self.log = log
        self.historyChanged = historyChanged
        history = History(random: dice.next())
        withdrawals = WithdrawalWatch(front)
        switches = SwitchWatch(front, log: log)
        neighbours = configuration.isShared ? Neighbours(front, configuration, loop: loop, history: history, bus: bus, log: log) : nil
        retention = Retention(configuration.retention, loop: loop, front: front, log: log)
        migrationBackoff = .ofStore(longest: configuration.longestBackoff)
        lanes = LaneName.allCases.map { name in
            Lane(
                name, loop: loop, configuration: configuration, statistics: front.statistics, history: history, log: log, owner: self)
        }
        laneOf = Operation.allCases.map { operation in lanes.firstIndex { $0.name == operation.descriptor.lane } ?? 0 }
    }

    /// Serves until stopped. When it returns, every accepted order has been answered.
    func run() {
        loop.receive(from: front.signals) { [unowned self] signals in
            for signal in signals { hear(signal) }
        }
        loop.receive(from: front.handovers) { [unowned self] handovers in take(handovers) }
        loop.atTurnEnd { [unowned self] in
            if isStopping, front.isEmpty { loop.handle.stop() }
        }
        migrate()
        watchWithdrawals()
        loop.run()
    }

    private func watchWithdrawals() {
        guard !isStopping else { return }
        _ = loop.after(configuration.withdrawalInterval) { [unowned self] in
            if front.state == .up {
                withdrawals.ask()
                switches.ask()
                neighbours?.look()
            }
            watchWithdrawals()
        }
    }

    private func take(_ handovers: [StoreFront.Handover]) {
        for handover in handovers {
            switch handover {
            case .orders(let orders):
                for order in orders {
                    let operation = Operation(order.request)
                    lanes[laneOf[operation.rawValue]].take(PendingOrder(order: order), operation)
                }
            case .cancel(let tokens, let client):
                for lane in lanes where !lane.name.writes { lane.cancel(tokens, of: client) }
            }
        }
        for lane in lanes { lane.go() }
    }

    private func hear(_ signal: StoreFront.Signal) {
        switch signal {
        case .stop: stop()
        case .carry(let signals): neighbours?.carry(signals)
        case .look: neighbours?.lookNow()
        case .beat: neighbours?.tell()
        case .knocked:
            neighbours?.tell()
            switches.ask(isKnock: true)
        case .databaseIsBehind:
            guard history.toldBehind() else { return }
            for lane in lanes where lane.name.claimsDatabase { lane.askForHistory() }
        case .migrated(let numbers):
            endMigration()
            migrationBackoff.succeeded()
            front.setStartFailure(nil)
            if !numbers.isEmpty {
                log.notice("migrated the database", metadata: ["migrations": "\(numbers.map(String.init).joined(separator: ","))"])
            }
            if !isMigrated {
                isMigrated = true
                if !isStopping {
                    for lane in lanes { lane.connect() }
                    neighbours?.start()
                    retention.start()
                }
            }
        case .notMigrated(let error):
            endMigration()
            log.log(
                level: error.isFinal ? .error : .warning, "the database's schema cannot be used", metadata: ["reason": "\(error)"])
            if !isMigrated { front.setStartFailure(error.isFinal ? "\(error)" : nil) }
            let delay = error.isFinal ? configuration.longestBackoff : migrationBackoff.next(random: random())
            if !isMigrated { _ = loop.after(delay) { [unowned self] in migrate() } }
        }
    }

    /// Runs on a thread of its own, because it blocks.
    private func migrate() {
        guard migration == nil, !isStopping else { return }
        let (address, front) = (configuration.address, front)
        do {
            migration = try Thread.spawn(name: "migrate") {
                do throws(MigrationError) {
                    // The mailbox is full only when the store's thread has stopped reading. Then nobody needs the result.
                    _ = front.signals.post(.migrated(try Migrator.migrate(address)))
                } catch {
                    _ = front.signals.post(.notMigrated(error))
                }
            }
        } catch {
            hear(.notMigrated(.unreachable(PostgresError(message: "\(error)"))))
        }
    }

    /// The migration's thread has reported its result and is about to end.
    private func endMigration() {
        migration?.join()
        migration = nil
    }

    private func stop() {
        guard !isStopping else { return }
        isStopping = true
        front.change(to: .stopped)
        neighbours?.leave()
        _ = loop.after(isMigrated ? configuration.stopGrace : .zero) { [unowned self] in
            for lane in lanes { lane.close() }
            neighbours?.stop()
        }
    }

    // MARK: LaneOwner

    func settle(_ events: [BusEvent], _ orders: [PendingOrder], _ replies: [StoreReply]) {
        if !events.isEmpty {
            history.committed(events)
            front.statistics.count(events)
            bus.publish(committed: events)
            neighbours?.committed()
        }
        // There are few clients: one per event loop, and the intake.
        var clients: [any StoreClient] = []
        var outcomes: [[StoreOutcome]] = []
        var current = 0
        var unavailable = 0
        var cancelled = 0
        for index in orders.indices {
            let reply = replies[index]
            if reply.isUnavailable { unavailable += 1 }
            if reply == .failed(.cancelled) { cancelled += 1 }
            let order = orders[index].order
            let client = order.client
            if current >= clients.count || clients[current] !== client {
                current = clients.firstIndex { $0 === client } ?? clients.count
                if current == clients.count {
                    clients.append(client)
                    outcomes.append([])
                    if current == 0 { outcomes[0].reserveCapacity(orders.count) }
                }
            }
            outcomes[current].append(StoreOutcome(token: order.token, reply: reply))
        }
        if cancelled > 0 { front.statistics.ordersCancelled.add(UInt64(cancelled)) }
        if unavailable > 0 { front.statistics.ordersUnavailable.add(UInt64(unavailable)) }
        // Before the replies are delivered, so that a client that submits at once finds room.
        front.answered(orders.count)
        for (client, outcomes) in zip(clients, outcomes) { client.deliver(outcomes) }
    }

    func schemaIsMissing() { migrate() }

    func random() -> UInt64 { dice.next() }

    func connectionMade() { front.connectionMade() }

    func found(_ epoch: Epoch) {
        let previous = history.epoch
        let isOther = history.found(epoch)
        front.set(epoch)
        guard isOther else { return }
        front.statistics.epochChanges.add()
        log.error(
            "the database has another history: it was restored, or a replica took over that had not received everything",
            metadata: ["before": "\(previous?.text ?? "-")", "now": "\(epoch.text)"])
        historyChanged()
        for lane in lanes { lane.leave(historiesBut: epoch) }
    }

    func availabilityChanged() {
        guard !isStopping else { return }
        let isUp = lanes.allSatisfy(\.isReady)
        front.change(to: isUp ? .up : .away)
        if isUp {
            switches.ask()
            neighbours?.tell()
        }
        if lanes.contains(where: \.isReady) { for lane in lanes { lane.hurry() } }
    }
}

extension StoreReply {
    fileprivate var isUnavailable: Bool {
        switch self {
        case .failed(.unavailable), .failed(.tooSlow): true
        case .failed, .stored, .partlyStored, .positions, .behind, .opened, .snapshot, .state, .page, .moved, .withdrawals, .journal,
            .switches, .kind, .nodes, .sources, .removed, .blockChanged, .blocks, .fenced, .fences, .ticketKept, .ticket, .accessChanged,
            .accessSettled:
            false
        }
    }
}
