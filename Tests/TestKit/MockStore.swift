import Linux
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

    package func submit(_ orders: [StoreOrder]) -> Bool {
        state.withLock { state in
            guard orders.count <= state.room else { return false }
            state.orders += orders
            state.room -= orders.count
            return true
        }
    }

    package func take() -> [StoreOrder] {
        state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
    }
}
