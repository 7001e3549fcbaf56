import Messaging
import Postgres
import StoreAPI

/// `remove` orders: one small step of removing old entries each.
enum Removals: StoreOperation {
    static let statements: [Statement] = [.removeEntries]
    // The lane that also appends, so that the two never wait for each other's locks.
    static let lane = LaneName.entries
    static let capacity = 1
    static let waitsWhileAway = false
    static let isImpatient = false

    static func batch(of orders: [PendingOrder]) -> any Batch { RemovalBatch(orders) }
}

struct RemovalBatch: Batch {
    private var removal: Removal?

    init(_ orders: [PendingOrder]) {
        if case .remove(let removal)? = orders.first?.order.request { self.removal = removal }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var step = Parameters()
        step.append([removal?.after ?? 0])
        step.append([removal?.notifications?.stored])
        step.append([removal?.messages?.stored])
        step.append([removal?.system?.stored])
        return [(.removeEntries, step)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let step = rows.first, step.count == 1, let count = step.int32(0, 0) else { return nil }
        let removed = Removed(entries: Int(count), next: step.int64(0, 1), oldest: step.time(0, 2).map { Timestamp($0) })
        return BatchOutcome(replies: [.removed(removed)])
    }
}

extension Statement {
    /// How much one step looks at and removes at most, which takes some ten milliseconds.
    private static let step = (channels: 200, due: 25, entries: 40)

    private static let isOld = """
        coalesce(e.created_at < case when e.kind = 'notification' then ($2::timestamptz[])[1]
            when e.kind in ('message', 'change', 'retraction') then ($3::timestamptz[])[1] else ($4::timestamptz[])[1] end, false)
        """

    /// $1 the last channel that was looked at; entries are old that were made before: $2 notifications, $3 messages, $4 system; null: none
    /// is. Each is an array of one element. Returns how many entries were removed, the last channel that was looked at (null: there are
    /// no more channels), and the time of the oldest first entry that is kept.
    ///
    /// Entries are removed from the start of a channel up to the first that is not old. Receipts are kept.
    static let removeEntries = Statement(
        name: "removeEntries",
        sql: """
            with looked as materialized (
                select c.id, e.created_at, e.is_old
                from (select c.id from hub.channel c where c.id > ($1::int8[])[1] order by c.id limit \(step.channels)) c
                left join lateral (
                    select e.created_at, \(isOld) as is_old from hub.entry e where e.channel_id = c.id order by e.seq limit 1
                ) e on true
            ), due as materialized (
                select l.id from looked l where l.is_old order by l.id limit \(step.due)
            ), reach as materialized (
                select d.id, r.upto, r.has_more
                from due d
                cross join lateral (
                    select coalesce(min(e.seq) filter (where not e.is_old) - 1, max(e.seq)) as upto,
                        count(*) filter (where e.is_old) = \(step.entries) as has_more
                    from (
                        select e.seq, \(isOld) as is_old from hub.entry e where e.channel_id = d.id order by e.seq limit \(step.entries)
                    ) e
                ) r
            ), removed as (
                delete from hub.entry e using reach r
                cross join lateral (
                    select e.ctid from hub.entry e where e.channel_id = r.id and e.seq <= r.upto order by e.seq limit \(step.entries)
                ) held
                where e.ctid = held.ctid
                returning e.seq
            ), moved as (
                update hub.channel c set first_seq = r.upto + 1 from reach r where c.id = r.id
            )
            select (select count(*) from removed)::int4,
                case when exists (select from reach r where r.has_more) then (select min(r.id) - 1 from reach r where r.has_more)
                    when (select count(*) from due) = \(step.due) then (select max(d.id) from due d)
                    else (select max(l.id) from looked l) end,
                (select min(l.created_at) from looked l where not l.is_old)
            """)
}
