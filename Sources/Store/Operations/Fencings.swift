import Bus
import Messaging
import Postgres
import StoreAPI

/// `fence` orders.
enum Fencings: StoreOperation {
    static let statements: [Statement] = [.putFences]
    static let lane = LaneName.entries
    static let capacity = 200
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { FencingBatch(orders) }
}

struct FencingBatch: Batch {
    private var notices: [FenceNotice] = []

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .fence(let notice) = pending.order.request else {
                assertionFailure("not a fence order")
                continue
            }
            notices.append(notice)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(notices.map(\.key))
        parameters.append(notices.map { $0.fence.user?.name ?? "" })
        parameters.append(notices.map { $0.fence.login.map { String($0.rawValue) } ?? "" })
        parameters.append(notices.map(\.fence.reason.rawValue))
        parameters.append(notices.map { $0.fence.issuedUpTo.stored })
        parameters.append(notices.map { $0.fence.expiresAt.stored })
        parameters.append(notices.map(\.source))
        return [(.putFences, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        var outcome = BatchOutcome(replies: notices.map { _ in .fenced })
        // Also those that were there: the first time may not have been published.
        outcome.events = notices.map { .fenced($0.fence) }
        return outcome
    }
}

/// `fences` orders.
enum FenceReadings: StoreOperation {
    static let statements: [Statement] = [.fences]
    static let lane = LaneName.reads
    // `WithdrawalWatch` has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Most fences of one reply.
    static let page = 1_000

    static func batch(of orders: [PendingOrder]) -> any Batch { FenceReadingBatch(orders) }
}

struct FenceReadingBatch: Batch {
    private var after = WithdrawalPosition.start

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .fences(let after) = pending.order.request else {
                assertionFailure("not a fences order")
                continue
            }
            self.after = after
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        for number in [after.transaction, after.id, after.oldestOpen] { parameters.append(number) }
        return [(.fences, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first, rows.count > 0, let oldest = rows.int64(0, 0) else { return nil }
        var events: [BusEvent] = []
        var last: (transaction: Int64, id: Int64)?
        for row in 0..<rows.count {
            guard let transaction = rows.int64(row, 1), let id = rows.int64(row, 2) else { continue }
            last = (transaction, id)
            // Null: it has no effect any more.
            guard let reason = rows.text(row, 5).flatMap(Fence.Reason.init(rawValue:)), let issued = rows.time(row, 6),
                let expiry = rows.time(row, 7),
                let fence = Fence(
                    user: rows.text(row, 3).flatMap { UserID($0) },
                    login: rows.text(row, 4).flatMap { UInt64($0) }.map { LoginMark(rawValue: $0) }, reason: reason,
                    issuedUpTo: Timestamp(issued), expiresAt: Timestamp(expiry))
            else { continue }
            events.append(.fenced(fence))
        }
        let next = after.next(last: last, isFull: rows.count == FenceReadings.page, oldestOpen: oldest)
        var outcome = BatchOutcome(replies: [.fences(next: next)])
        outcome.events = events
        return outcome
    }
}

extension WithdrawalPosition {
    /// The position after a page. All pages of one reading end with the position that its first page found.
    func next(last: (transaction: Int64, id: Int64)?, isFull: Bool, oldestOpen oldest: Int64) -> WithdrawalPosition {
        let start = isBetweenPages && oldestOpen <= oldest ? oldestOpen : oldest
        guard isFull, let last else { return WithdrawalPosition(transaction: start, id: 0, oldestOpen: start) }
        return WithdrawalPosition(transaction: last.transaction, id: last.id, oldestOpen: start)
    }
}

extension Statement {
    /// $1 key, $2 user ("": none), $3 login ("": none), $4 reason, $5 issued up to, $6 expiry, $7 source. Also removes some old ones.
    static let putFences = Statement(
        name: "putFences",
        sql: """
            with old as (
                delete from hub.fence f using (
                    select f.ctid from hub.fence f where f.noted_at < now() - interval '90 days' and f.expires_at < now()
                    order by f.noted_at limit 100 for update skip locked
                ) held
                where f.ctid = held.ctid
            )
            insert into hub.fence (key, user_id, login, reason, issued_up_to, expires_at, source)
            select a.key, nullif(a.user_id, ''), nullif(a.login, '')::numeric, a.reason, a.issued_up_to, a.expires_at, a.source
            from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[])
                a (key, user_id, login, reason, issued_up_to, expires_at, source)
            order by a.key
            on conflict (key) do nothing
            """)

    /// $1 transaction, $2 id, $3 oldest open transaction, as `WithdrawalPosition` has them. Returns at least one row: the oldest transaction
    /// that is open now, then transaction, id, user, login, reason, issued up to and expiry of a fence that was put up after the position.
    /// The last five are null when it has no effect any more.
    static let fences = Statement(
        name: "fences",
        sql: """
            with now as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest),
            start as materialized (
                select oldest, case when $3::bigint > oldest then 0 else $1::bigint end as transaction,
                    case when $3::bigint > oldest then 0 else $2::bigint end as id
                from now
            )
            select s.oldest, f.transaction, f.id, f.user_id, f.login::text, case when f.expires_at > now() then f.reason end,
                f.issued_up_to, f.expires_at
            from start s
            left join lateral (
                select f.* from hub.fence f where (f.transaction, f.id) > (s.transaction, s.id)
                order by f.transaction, f.id limit \(FenceReadings.page)
            ) f on true
            order by f.transaction, f.id
            """)
}
