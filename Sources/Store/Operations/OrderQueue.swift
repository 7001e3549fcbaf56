import Linux
import StoreAPI

/// Orders of one operation in the order of their arrival. Taking from the front moves an index; the storage is kept short.
struct OrderQueue {
    private var orders: [PendingOrder] = []
    private var first = 0

    var isEmpty: Bool { first == orders.count }

    mutating func append(_ order: PendingOrder) { orders.append(order) }

    /// The next batch: as many orders as its capacity allows, at least one.
    mutating func takeBatch<O: StoreOperation>(of operation: O.Type) -> [PendingOrder] {
        // The array itself is the batch: order by order they would all be copied.
        if O.Filling.self == UniformFilling.self, orders.count - first <= O.capacity { return takeAll() }
        var batch: [PendingOrder] = []
        var filling = O.Filling()
        var total = 0
        while first < orders.count {
            let next = orders[first]
            guard let weight = filling.weight(of: next.order.request), batch.isEmpty || total + weight <= O.capacity else { break }
            total += weight
            batch.append(next)
            first += 1
        }
        if first == orders.count {
            orders.removeAll(keepingCapacity: orders.count <= 4_096)
            first = 0
        } else if first > 4_096 {
            orders.removeFirst(first)
            first = 0
        }
        return batch
    }

    /// Sets the end of waiting for the orders that have none yet.
    mutating func wait(until end: MonotonicInstant) {
        for index in first..<orders.count { orders[index].wait(until: end) }
    }

    mutating func takeAll() -> [PendingOrder] {
        defer { self = OrderQueue() }
        return first == 0 ? orders : Array(orders[first...])
    }

    mutating func removeAll(where condition: (PendingOrder) -> Bool) -> [PendingOrder] {
        let waiting = orders[first...]
        let removed = waiting.filter(condition)
        if !removed.isEmpty {
            orders = waiting.filter { !condition($0) }
            first = 0
        }
        return removed
    }
}
