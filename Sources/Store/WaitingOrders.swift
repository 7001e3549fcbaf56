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

    /// How many orders wait, if all of them are of a kind that is gathered; nil when others wait, more than a batch, or none.
    var gathering: Int? {
        guard reruns.isEmpty else { return nil }
        var count = 0
        for index in queues.indices where !queues[index].isEmpty {
            guard operations[index].descriptor.gathers, let few = queues[index].few else { return nil }
            count += few
        }
        return count > 0 ? count : nil
    }

    mutating func append(_ order: PendingOrder, _ operation: Operation) {
        guard let index = operations.firstIndex(of: operation) else { return assertionFailure("an order of another lane") }
        queues[index].append(order)
    }

    /// The order is the next one of its operation; the other operations have their turns before.
    mutating func prepend(_ order: PendingOrder, _ operation: Operation) {
        guard let index = operations.firstIndex(of: operation) else { return assertionFailure("an order of another lane") }
        queues[index].prepend(order)
    }

    /// The orders share a transaction, which is the next one.
    mutating func rerun(_ orders: [PendingOrder], _ operation: Operation) {
        if !orders.isEmpty { reruns.append((operation, orders)) }
    }

    /// Sorts what has arrived, when it is more than a batch.
    /// - Returns: the orders of users who had `most` waiting already.
    mutating func admit(ofUser most: Int) -> [PendingOrder] {
        var surplus: [PendingOrder] = []
        for index in queues.indices where !queues[index].isSorted {
            surplus += queues[index].sort(operations[index].descriptor, ofUser: most)
        }
        return surplus
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

    /// Removes the orders that meet the condition.
    mutating func take(where condition: (PendingOrder) -> Bool) -> [PendingOrder] {
        var taken: [PendingOrder] = []
        reruns = reruns.compactMap { operation, orders in
            taken.append(contentsOf: orders.filter(condition))
            let rest = orders.filter { !condition($0) }
            return rest.isEmpty ? nil : (operation, rest)
        }
        for index in queues.indices { taken.append(contentsOf: queues[index].removeAll(where: condition)) }
        return taken
    }

    mutating func takeAll() -> [PendingOrder] {
        var orders = reruns.flatMap(\.orders)
        reruns.removeAll()
        for index in queues.indices { orders += queues[index].takeAll() }
        return orders
    }
}
