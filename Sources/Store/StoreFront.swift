import Bus
import Linux
import Messaging
import Reactor
import StoreAPI
import Synchronization
import Telemetry

/// What the store's thread shares with its clients.
final class StoreFront: Sendable {
    enum Signal: Sendable {
        case stop
        case databaseIsBehind
        /// For other hubs.
        case carry([BusSignal])
        /// What other hubs have committed is to be read now.
        case look
        /// There is something new to tell the other hubs about this one.
        case beat
        /// An operator has asked or changed something.
        case knocked
        case migrated([Int])
        case notMigrated(MigrationError)
    }

    enum Handover: Sendable {
        /// As they were submitted; at least one.
        case orders([StoreOrder])
        /// Comes behind the orders that it names.
        case cancel(Set<UInt64>, of: any StoreClient)
    }

    let handovers: Mailbox<Handover>
    let signals: Mailbox<Signal>
    let statistics = StoreStatistics()
    let heartbeat: Heartbeat
    /// Room for cancellations besides the orders.
    private static let mostCancellations = 1_024
    private let capacity: Int
    /// Orders accepted and not yet answered.
    private let open = Atomic<Int>(0)
    private let stateCode = Atomic<Int>(0)
    private let refusal = Locked<String?>(nil)
    private let connections = Atomic<UInt64>(0)

    init(capacity: Int, wakes handle: LoopHandle) {
        self.capacity = max(1, capacity)
        heartbeat = handle.heartbeat
        handovers = Mailbox(capacity: self.capacity + Self.mostCancellations, wakes: handle)
        signals = Mailbox(capacity: 16, wakes: handle)
    }

    private static let states: [StoreState] = [.starting, .up, .away, .stopped]

    var state: StoreState { Self.states[stateCode.load(ordering: .sequentiallyConsistent)] }

    func change(to state: StoreState) {
        stateCode.store(Self.states.firstIndex(of: state) ?? 0, ordering: .sequentiallyConsistent)
    }

    private let nodeReporter = Locked<(any NodeReporter)?>(nil)

    var reporter: (any NodeReporter)? { nodeReporter.withLock { $0 } }
    func set(_ reporter: any NodeReporter) { nodeReporter.withLock { $0 = reporter } }

    var connectionsMade: UInt64 { connections.load(ordering: .relaxed) }

    func connectionMade() { connections.add(1, ordering: .relaxed) }

    /// Zero: not known yet.
    private let epochNumber = Atomic<UInt32>(0)

    var epoch: Epoch? { Epoch(rawValue: epochNumber.load(ordering: .acquiring)) }

    func set(_ epoch: Epoch) { epochNumber.store(epoch.rawValue, ordering: .releasing) }

    /// - Parameter isLast: the order is taken although the store is stopping. Only its own thread may say so.
    func submit(_ batch: [StoreOrder], isLast: Bool = false) -> Bool {
        // Counted before the state is read: the store's thread stops only when no order is open.
        guard let now = reserve(batch.count) else { return refuse(batch) }
        guard isLast || state != .stopped, handovers.post(.orders(batch)) else {
            open.subtract(batch.count, ordering: .sequentiallyConsistent)
            return refuse(batch)
        }
        statistics.waiting.set(Int64(now))
        return true
    }

    /// A cancellation that finds no room is dropped: the orders are carried out, and their client ignores the answers.
    func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) { _ = handovers.post(.cancel(tokens, of: client)) }

    var room: Int { max(0, capacity - open.load(ordering: .relaxed)) }

    /// The number of open orders including these; nil when there is no room for all of them. Refused orders take no room, not even briefly.
    private func reserve(_ count: Int) -> Int? {
        var known = open.load(ordering: .sequentiallyConsistent)
        while known + count <= capacity {
            let (isMade, found) = open.compareExchange(expected: known, desired: known + count, ordering: .sequentiallyConsistent)
            if isMade { return known + count }
            known = found
        }
        return nil
    }

    private func refuse(_ batch: [StoreOrder]) -> Bool {
        statistics.ordersRefused.add(UInt64(batch.count))
        return false
    }

    func answered(_ count: Int) {
        let (_, now) = open.subtract(count, ordering: .sequentiallyConsistent)
        statistics.waiting.set(Int64(now))
        statistics.ordersAnswered.add(UInt64(count))
    }

    /// Why the database cannot be used before somebody has acted. Set until the schema has been found once.
    var startFailure: String? { refusal.withLock { $0 } }
    func setStartFailure(_ reason: String?) { refusal.withLock { $0 = reason } }

    var isEmpty: Bool { open.load(ordering: .sequentiallyConsistent) == 0 }
}
