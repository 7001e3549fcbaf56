import Reactor
import StoreAPI
import Synchronization
import Telemetry

/// What the store's thread shares with its clients.
final class StoreFront: Sendable {
    enum Signal: Sendable {
        case stop
        case migrated([Int])
        case notMigrated(MigrationError)
    }

    /// Batches as they were submitted. None is empty.
    let orders: Mailbox<[StoreOrder]>
    let signals: Mailbox<Signal>
    let statistics = StoreStatistics()
    private let capacity: Int
    /// Orders accepted and not yet answered.
    private let open = Atomic<Int>(0)
    private let stateCode = Atomic<Int>(0)

    init(capacity: Int, wakes handle: LoopHandle) {
        self.capacity = max(1, capacity)
        orders = Mailbox(capacity: self.capacity, wakes: handle)
        signals = Mailbox(capacity: 16, wakes: handle)
    }

    private static let states: [StoreState] = [.starting, .up, .away, .stopped]

    var state: StoreState { Self.states[stateCode.load(ordering: .sequentiallyConsistent)] }

    func change(to state: StoreState) {
        stateCode.store(Self.states.firstIndex(of: state) ?? 0, ordering: .sequentiallyConsistent)
    }

    func submit(_ batch: [StoreOrder]) -> Bool {
        // Counted before the state is read: the store's thread stops only when no order is open.
        guard let now = reserve(batch.count) else { return refuse(batch) }
        guard state != .stopped, orders.post(batch) else {
            open.subtract(batch.count, ordering: .sequentiallyConsistent)
            return refuse(batch)
        }
        statistics.waiting.set(Int64(now))
        return true
    }

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

    var isEmpty: Bool { open.load(ordering: .sequentiallyConsistent) == 0 }
}
