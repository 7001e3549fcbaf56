import Linux
import StoreAPI

/// Orders of one kind of work in the order they came. Taking from the front moves an index; the storage is kept short.
struct OrderQueue {
    private var orders: [PendingOrder] = []
    private var first = 0

    var isEmpty: Bool { first == orders.count }

    mutating func append(_ order: PendingOrder) { orders.append(order) }

    /// The next batch: as many as its capacity allows, at least one.
    mutating func takeBatch(of work: Work) -> [PendingOrder] {
        // As it is: one by one they would all be copied.
        if work == .acks, orders.count - first <= work.capacity { return takeAll() }
        var batch: [PendingOrder] = []
        var weight = 0
        var pages: Set<PageBatch.Page> = []
        while first < orders.count {
            let next = orders[first]
            if let page = PageBatch.Page(next.order.request), !pages.insert(page).inserted {
                weight += 1
            } else {
                weight += work.weight(of: next.order.request)
            }
            guard batch.isEmpty || weight <= work.capacity, work != .cursors || CursorBatch.mayFollow(batch, next) else { break }
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

    /// Sets the patience of those that have none yet.
    mutating func wait(until end: MonotonicInstant) {
        for index in first..<orders.count where orders[index].patience == nil { orders[index].patience = end }
    }

    mutating func takeAll() -> [PendingOrder] {
        defer { self = OrderQueue() }
        return Array(orders[first...])
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
