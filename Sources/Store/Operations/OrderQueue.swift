import Linux
import StoreAPI

/// Orders of one operation in the order of their arrival. Taking from the front moves an index; the storage is kept short.
///
/// As soon as more wait than one batch takes, they are sorted by their users (`UserLines`), until none is left.
struct OrderQueue {
    private var arrivals: [PendingOrder] = []
    private var first = 0
    private var lines = UserLines()

    var isEmpty: Bool { first == arrivals.count && lines.isEmpty }
    /// How many orders wait, while they are no more than a batch; nil when they are.
    var few: Int? { lines.isEmpty ? arrivals.count - first : nil }
    /// Whether nothing has arrived since orders were last sorted.
    var isSorted: Bool { first == arrivals.count }

    mutating func append(_ order: PendingOrder) { arrivals.append(order) }

    /// The order is the next one.
    mutating func prepend(_ order: PendingOrder) {
        if first == 0 { return arrivals.insert(order, at: 0) }
        first -= 1
        arrivals[first] = order
    }

    /// Puts what has arrived into the lines of its users, if it is too much for one batch.
    /// - Returns: the orders of users who had `most` in their lines already.
    mutating func sort<O: StoreOperation>(_ operation: O.Type, ofUser most: Int) -> [PendingOrder] {
        guard !lines.isEmpty || arrivals.count - first > O.unsorted else { return [] }
        var surplus: [PendingOrder] = []
        for index in first..<arrivals.count where !lines.append(arrivals[index], ofUser: most) { surplus.append(arrivals[index]) }
        arrivals.removeAll(keepingCapacity: arrivals.count <= 4_096)
        first = 0
        return surplus
    }

    /// The next batch: as many orders as its capacity allows, at least one.
    mutating func takeBatch<O: StoreOperation>(of operation: O.Type) -> [PendingOrder] {
        if !lines.isEmpty { return lines.takeBatch(of: operation) }
        // The array itself is the batch: order by order they would all be copied.
        if O.Filling.self == UniformFilling.self, arrivals.count - first <= O.capacity { return takeArrivals() }
        var batch: [PendingOrder] = []
        var filling = O.Filling()
        var total = 0
        while first < arrivals.count {
            let next = arrivals[first]
            guard let weight = filling.weight(of: next.order.request), batch.isEmpty || total + weight <= O.capacity else { break }
            filling.add(next.order.request)
            total += weight
            batch.append(next)
            first += 1
        }
        if first == arrivals.count {
            arrivals.removeAll(keepingCapacity: arrivals.count <= 4_096)
            first = 0
        } else if first > 4_096 {
            arrivals.removeFirst(first)
            first = 0
        }
        return batch
    }

    /// Sets the end of waiting for the orders that have none yet.
    mutating func wait(until end: MonotonicInstant) {
        for index in first..<arrivals.count { arrivals[index].wait(until: end) }
        lines.wait(until: end)
    }

    mutating func takeAll() -> [PendingOrder] { lines.takeAll() + takeArrivals() }

    private mutating func takeArrivals() -> [PendingOrder] {
        defer {
            arrivals = []
            first = 0
        }
        return first == 0 ? arrivals : Array(arrivals[first...])
    }

    mutating func removeAll(where condition: (PendingOrder) -> Bool) -> [PendingOrder] {
        var removed = lines.removeAll(where: condition)
        let waiting = arrivals[first...]
        let ofArrivals = waiting.filter(condition)
        if !ofArrivals.isEmpty {
            arrivals = waiting.filter { !condition($0) }
            first = 0
        }
        removed += ofArrivals
        return removed
    }
}
