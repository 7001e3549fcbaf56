import Bus
import Messaging
import Postgres
import StoreAPI

/// `withdrawals` orders: memberships that ended, whoever ended them.
enum Withdrawals: StoreOperation {
    static let statements: [Statement] = [.withdrawals]
    static let lane = LaneName.reads
    // `WithdrawalWatch` has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Most memberships of one reply.
    static let page = 1_000

    static func batch(of orders: [PendingOrder]) -> any Batch { WithdrawalBatch(orders) }
}

struct WithdrawalBatch: Batch {
    private var after = WithdrawalPosition.start

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .withdrawals(let after) = pending.order.request else {
                assertionFailure("not a withdrawals order")
                continue
            }
            self.after = after
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        for number in [after.transaction, after.id, after.oldestOpen] { parameters.append(number) }
        return [(.withdrawals, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first, rows.count > 0, let oldest = rows.int64(0, 0) else { return nil }
        var events: [BusEvent] = []
        var last: (transaction: Int64, id: Int64)?
        for row in 0..<rows.count {
            guard let transaction = rows.int64(row, 1), let id = rows.int64(row, 2) else { continue }
            last = (transaction, id)
            // Null: the channel is gone, or the user has become a member again.
            guard let name = rows.text(row, 3), let channel = Channel(storedName: name),
                let user = rows.text(row, 4).flatMap({ UserID($0) })
            else { continue }
            events.append(.withdrawn(channel, from: user))
        }
        let next = after.next(last: last, isFull: rows.count == Withdrawals.page, oldestOpen: oldest)
        var outcome = BatchOutcome(replies: [.withdrawals(next: next)])
        outcome.events = events
        return outcome
    }
}

extension Statement {
    /// $1 transaction, $2 id, $3 oldest open transaction, as `WithdrawalPosition` has them. Returns at least one row: the oldest transaction
    /// that is open now, then transaction, id, channel and user of a membership that ended after the position. Channel is null when the user
    /// is a member again.
    ///
    /// A database that went back knows no transaction as new as $3: everything in the table is read again.
    static let withdrawals = Statement(
        name: "withdrawals",
        sql: """
            with now as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest),
            start as materialized (
                select oldest, case when $3::bigint > oldest then 0 else $1::bigint end as transaction,
                    case when $3::bigint > oldest then 0 else $2::bigint end as id
                from now
            )
            select s.oldest, w.transaction, w.id, c.name, w.user_id
            from start s
            left join lateral (
                select w.* from hub.withdrawal w where (w.transaction, w.id) > (s.transaction, s.id)
                order by w.transaction, w.id limit \(Withdrawals.page)
            ) w on true
            left join lateral (
                select c.name from hub.channel c
                where c.id = w.channel_id and not exists (
                    select from hub.member m where m.channel_id = w.channel_id and m.user_id = w.user_id
                )
                limit 1
            ) c on true
            order by w.transaction, w.id
            """)
}
