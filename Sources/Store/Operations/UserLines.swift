import Linux
import Messaging
import StoreAPI

/// Orders that wait, in one line per user; the hub's own are a line, too. A batch is filled by deficit round robin: each turn of a user
/// allows a little more weight, so users get equal shares whatever their orders weigh. Within a line the order of arrival is kept.
///
/// Invariant: `turns` names each line that is not empty exactly once.
struct UserLines {
    private struct Line {
        var user: UserID?
        var orders: [PendingOrder] = []
        var first = 0
        /// The weight that the line may still take of its turns so far.
        var allowance = 0
        /// What the line has taken of the batch that is being filled.
        var taken = 0

        var isEmpty: Bool { first == orders.count }
        var count: Int { orders.count - first }

        /// The next order leaves for a batch, of which the line has then taken `total`.
        mutating func take(_ weight: Int, total: Int) {
            allowance -= weight
            taken = total
            first += 1
            guard first > 1_024, first * 2 > orders.count else { return }
            orders.removeFirst(first)
            first = 0
        }
    }

    private var lines: [Line] = []
    /// Positions in `lines` that no user has.
    private var free: [Int] = []
    /// Where each user's line is in `lines`.
    private var lineOf: [UserID?: Int] = [:]
    /// The lines in the order of their turns, from `next` on.
    private var turns: [Int] = []
    private var next = 0

    var isEmpty: Bool { lineOf.isEmpty }

    /// - Parameter most: how long the line of a user may be.
    /// - Returns: false, and nothing is done, when the line is as long as it may be.
    mutating func append(_ order: PendingOrder, ofUser most: Int) -> Bool {
        let user = order.order.user
        let index: Int
        if let known = lineOf[user] {
            if user != nil, lines[known].count >= most { return false }
            index = known
        } else {
            index = free.popLast() ?? lines.count
            if index == lines.count { lines.append(Line()) }
            lines[index].user = user
            lineOf[user] = index
            turns.append(index)
        }
        lines[index].orders.append(order)
        return true
    }

    /// The next batch: as many orders as its capacity allows, at least one. Lines must not be empty.
    mutating func takeBatch<O: StoreOperation>(of operation: O.Type) -> [PendingOrder] {
        var batch: [PendingOrder] = []
        var filling = O.Filling()
        var total = 0
        /// Lines that have taken their share of this batch.
        var done: [Int] = []
        filled: while next < turns.count {
            let index = turns[next]
            lines[index].allowance += O.quantum
            var isDone = false
            while !lines[index].isEmpty {
                let order = lines[index].orders[lines[index].first]
                guard let weight = filling.weight(of: order.order.request) else {
                    isDone = true
                    break
                }
                if !batch.isEmpty, total + weight > O.capacity {
                    // The turn begins again with the next batch.
                    lines[index].allowance -= O.quantum
                    break filled
                }
                let taken = lines[index].taken + weight
                if taken > O.share, lines[index].taken > 0 {
                    isDone = true
                    break
                }
                if weight > lines[index].allowance { break }
                filling.add(order.order.request)
                total += weight
                batch.append(order)
                lines[index].take(weight, total: taken)
            }
            next += 1
            if lines[index].isEmpty {
                remove(index)
            } else if isDone {
                lines[index].allowance = 0
                done.append(index)
            } else {
                turns.append(index)
            }
            tidy()
        }
        turns += done
        for index in turns[next...] { lines[index].taken = 0 }
        return batch
    }

    private mutating func remove(_ index: Int) {
        lineOf[lines[index].user] = nil
        lines[index] = Line()
        free.append(index)
    }

    /// Keeps the storage short.
    private mutating func tidy() {
        guard next > 1_024, next * 2 > turns.count else { return }
        turns.removeFirst(next)
        next = 0
    }

    /// Sets the end of waiting for the orders that have none yet.
    mutating func wait(until end: MonotonicInstant) {
        for index in turns[next...] {
            for order in lines[index].first..<lines[index].orders.count { lines[index].orders[order].wait(until: end) }
        }
    }

    mutating func takeAll() -> [PendingOrder] {
        defer { self = UserLines() }
        return turns[next...].flatMap { lines[$0].orders[lines[$0].first...] }
    }

    mutating func removeAll(where condition: (PendingOrder) -> Bool) -> [PendingOrder] {
        var removed: [PendingOrder] = []
        var left: [Int] = []
        for index in turns[next...] {
            let waiting = lines[index].orders[lines[index].first...]
            let leaving = waiting.filter(condition)
            removed += leaving
            if leaving.count == waiting.count {
                remove(index)
                continue
            }
            left.append(index)
            if leaving.isEmpty { continue }
            lines[index].orders = waiting.filter { !condition($0) }
            lines[index].first = 0
        }
        turns = left
        next = 0
        return removed
    }
}
