import Linux

/// The orders of one lane that are not in flight: one queue per operation, and the batches that run before all queues.
struct WaitingOrders {
    private let operations: [Operation]
    private var queues: [OrderQueue]
    /// Where the search for the next nonempty queue begins.
    private var turn = 0
    /// Each element becomes one transaction: orders that were in flight when a connection was lost, and the halves of a batch of which
    /// the database refused some order. Last in, first out.
    private var reruns: [(operation: Operation, orders: [PendingOrder])] = []

    init(of operations: [Operation]) {
        self.operations = operations
        queues = operations.map { _ in OrderQueue() }
    }

    var isEmpty: Bool { reruns.isEmpty && queues.allSatisfy(\.isEmpty) }

    mutating func append(_ order: PendingOrder, _ operation: Operation) {
        guard let index = operations.firstIndex(of: operation) else { return assertionFailure("an order of another lane") }
        queues[index].append(order)
    }

    /// The orders share a transaction, which is the next one.
    mutating func rerun(_ orders: [PendingOrder], _ operation: Operation) {
        if !orders.isEmpty { reruns.append((operation, orders)) }
    }

    /// The orders of the next transaction. The queues take turns.
    mutating func next() -> (operation: Operation, orders: [PendingOrder])? {
        if let rerun = reruns.popLast() { return rerun }
        for step in 0..<operations.count {
            let index = (turn + step) % operations.count
            if queues[index].isEmpty { continue }
            turn = index + 1
            return (operations[index], queues[index].takeBatch(of: operations[index].descriptor))
        }
        return nil
    }

    /// The database went away. Orders that wait for it keep their positions, and wait until `end` unless they already wait.
    /// - Returns: the orders of operations that do not wait, which leave their queues.
    mutating func outage(waitingUntil end: MonotonicInstant) -> [PendingOrder] {
        for rerun in reruns.indices {
            for index in reruns[rerun].orders.indices { reruns[rerun].orders[index].wait(until: end) }
        }
        var leaving: [PendingOrder] = []
        for (index, operation) in operations.enumerated() {
            if operation.descriptor.waitsWhileAway {
                queues[index].wait(until: end)
            } else {
                leaving += queues[index].takeAll()
            }
        }
        return leaving
    }

    /// Removes the orders that have waited long enough.
    mutating func takeExpired(at now: MonotonicInstant) -> [PendingOrder] {
        func isExpired(_ order: PendingOrder) -> Bool { order.waitsUntil.map { $0 <= now } ?? false }
        var expired: [PendingOrder] = []
        reruns = reruns.compactMap { operation, orders in
            expired.append(contentsOf: orders.filter(isExpired))
            let rest = orders.filter { !isExpired($0) }
            return rest.isEmpty ? nil : (operation, rest)
        }
        for index in queues.indices { expired.append(contentsOf: queues[index].removeAll(where: isExpired)) }
        return expired
    }

    mutating func takeAll() -> [PendingOrder] {
        var orders = reruns.flatMap(\.orders)
        reruns.removeAll()
        for index in queues.indices { orders += queues[index].takeAll() }
        return orders
    }
}
