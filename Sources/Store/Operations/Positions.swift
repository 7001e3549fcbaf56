import Messaging
import Postgres
import StoreAPI

/// `positions` orders.
enum Positions: StoreOperation {
    static let statements: [Statement] = [.readPositions]
    static let lane = LaneName.reads
    static let capacity = 100
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { PositionBatch(orders) }
}

/// Reads how far the records of partitions are stored.
struct PositionBatch: Batch {
    private var asked: [(order: Int, partition: IngestPartition)] = []
    private var orders = 0

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .positions(let partitions) = pending.order.request else {
                assertionFailure("not a positions order")
                continue
            }
            for partition in partitions { asked.append((self.orders, partition)) }
            self.orders += 1
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(asked.map(\.partition.topic))
        parameters.append(asked.map(\.partition.number))
        parameters.append(asked.map(\.partition.group))
        return [(.readPositions, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var found = (0..<orders).map { _ in [IngestPosition]() }
        for row in 0..<rows.count {
            guard let place = rows.int32(row, 0), place >= 1, place <= asked.count, let offset = rows.int64(row, 1) else { return nil }
            let (order, partition) = asked[Int(place) - 1]
            found[order].append(IngestPosition(group: partition.group, topic: partition.topic, partition: partition.number, offset: offset))
        }
        return BatchOutcome(replies: found.map { .positions($0) })
    }
}

extension Statement {
    /// $1 topic, $2 partition, $3 consumer group. Returns the index (from 1) and the position of each partition that has one.
    static let readPositions = Statement(
        name: "readPositions",
        sql: """
            select r.ordinal::int4, r.stored
            from (
                select a.ordinal, \(Clause.storedPosition) as stored
                from unnest($1::text[], $2::int4[], $3::text[]) with ordinality a (topic, partition, consumer_group, ordinal)
            ) r
            where r.stored is not null
            order by r.ordinal
            """)
}
