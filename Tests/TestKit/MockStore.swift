import Linux
package import Messaging
package import StoreAPI

/// Takes orders, up to its capacity, and keeps them.
package final class MockStore: StoreDesk {
    package init() {}
    private let state = Locked((orders: [StoreOrder](), room: Int.max))
    package var room: Int {
        get { state.withLock { $0.room } }
        set { state.withLock { $0.room = newValue } }
    }

    package let isUp = true
    package let connectionsMade: UInt64 = 0
    package func noteDatabaseIsBehind() {}
    package var epoch: Epoch? {
        get { known.withLock { $0 } }
        set { known.withLock { $0 = newValue } }
    }
    private let known = Locked<Epoch?>(nil)

    package func submit(_ orders: [StoreOrder]) -> Bool {
        state.withLock { state in
            guard orders.count <= state.room else { return false }
            state.orders += orders
            state.room -= orders.count
            return true
        }
    }

    /// The tokens that were cancelled.
    package var cancelled: Set<UInt64> { cancellations.withLock { $0 } }
    private let cancellations = Locked(Set<UInt64>())
    package func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) { cancellations.withLock { $0.formUnion(tokens) } }

    package func take() -> [StoreOrder] {
        state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
    }
}
