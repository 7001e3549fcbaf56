import Bus
import Messaging
import Postgres
import StoreAPI

/// `changeAccess` orders: what rows of databases grant.
enum AccessChanges: StoreOperation {
    // Its batches also execute `ensureChannels` of `Ingests`, which the same connection prepares.
    static let statements: [Statement] = [.lockAccess, .changeAccess, .settleAccess]
    static let lane = LaneName.entries
    static let capacity = 1
    static let waitsWhileAway = false

    static func batch(of orders: [PendingOrder]) -> any Batch { AccessChangeBatch(orders) }
    static func outage(of request: StoreRequest, isSlow: Bool) -> StoreFailure { isSlow ? .tooSlow : .unavailable }
}

/// `settleAccess` orders: the dates of rights that have come.
enum AccessSettlements: StoreOperation {
    // `settleAccess` is prepared for `AccessChanges`, on the same connection.
    static let statements: [Statement] = []
    static let lane = LaneName.entries
    static let capacity = 1
    static let waitsWhileAway = false

    /// Most grants of one transaction.
    static let page = 500

    static func batch(of orders: [PendingOrder]) -> any Batch { AccessChangeBatch(orders) }
}

/// Takes over the changes of one order, if it has any, and settles what is due.
struct AccessChangeBatch: Batch {
    private var changes: [AccessChange] = []
    private let isSettling: Bool

    init(_ orders: [PendingOrder]) {
        var isSettling = true
        for pending in orders {
            switch pending.order.request {
            case .changeAccess(let changes):
                self.changes = changes
                isSettling = false
            case .settleAccess: break
            default: assertionFailure("not an order about access")
            }
        }
        self.isSettling = isSettling
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var settling = Parameters()
        // All that the changes made due, and some of what was due before.
        settling.append(Int64(AccessSettlements.page + changes.count))
        // Of two hubs that settle at once, each would see the membership still held by the other's grant.
        guard !isSettling else { return [(.lockAccess, Parameters()), (.settleAccess, settling)] }
        var names = Parameters()
        names.append(changes.compactMap { $0.grant?.channel.storedName })
        var asked = Parameters()
        asked.append(changes.map(\.row))
        asked.append(changes.map(\.rule))
        asked.append(changes.map { $0.grant?.user.name })
        asked.append(changes.map { $0.grant?.channel.storedName })
        asked.append(changes.map { $0.grant?.from?.stored })
        asked.append(changes.map { $0.grant?.until?.stored })
        asked.append(changes.map(\.change.commit))
        asked.append(changes.map(\.change.lsn))
        asked.append(changes.map { $0.change.time.stored as PostgresTime? })
        return [(.lockAccess, Parameters()), (.ensureChannels, names), (.changeAccess, asked), (.settleAccess, settling)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let settled = rows.last else { return nil }
        var taken: Int64 = 0
        var events: [BusEvent] = []
        for row in 0..<settled.count {
            taken = settled.int64(row, 0) ?? taken
            guard let name = settled.text(row, 1), let channel = Channel(storedName: name),
                let user = settled.text(row, 2).flatMap({ UserID($0) })
            else { continue }
            events.append(.withdrawn(channel, from: user))
        }
        let more = taken >= Int64(AccessSettlements.page)
        var outcome = BatchOutcome(replies: [isSettling ? .accessSettled(more: more) : .accessChanged])
        outcome.events = events
        return outcome
    }
}

extension Statement {
    /// One transaction at a time changes what grants hold. A statement of its own, so that the next ones see what the last holder committed.
    static let lockAccess = Statement(name: "lockAccess", sql: "select pg_advisory_xact_lock(7598796541207667)")

    /// $1 row, $2 rule, $3 user and $4 channel (null: nothing), $5 from, $6 until, $7 commit, $8 lsn, $9 time of the change. A change that is not
    /// newer than the row's newest has no effect. Of several for one row the newest counts. Also removes some rows that are not needed.
    static let changeAccess = Statement(
        name: "changeAccess",
        sql: """
            with old as (
                delete from hub.access_grant g using (
                    select g.ctid from hub.access_grant g
                    where g.user_id is null and g.held_user is null and g.noted_at < now() - interval '30 days'
                    order by g.noted_at limit 100 for update skip locked
                ) held
                where g.ctid = held.ctid
            ), ask as materialized (
                select distinct on (a.cause collate "C", a.rule collate "C") a.*
                from unnest(
                    $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::bigint[],
                    $9::timestamptz[]
                ) with ordinality a (cause, rule, user_id, channel, valid_from, valid_until, commit_lsn, lsn, changed_at, ordinal)
                order by a.cause collate "C", a.rule collate "C", a.changed_at desc, a.commit_lsn desc, a.lsn desc, a.ordinal desc
            )
            insert into hub.access_grant as w
                (cause, rule, user_id, channel, valid_from, valid_until, due_at, commit_lsn, lsn, changed_at)
            select a.cause, a.rule, a.user_id, a.channel, a.valid_from, a.valid_until, case when a.user_id is not null then now() end,
                a.commit_lsn, a.lsn, a.changed_at
            from ask a
            order by a.cause collate "C", a.rule collate "C"
            on conflict (cause, rule) do update
            set user_id = excluded.user_id, channel = excluded.channel, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
                due_at = now(), commit_lsn = excluded.commit_lsn, lsn = excluded.lsn, changed_at = excluded.changed_at, noted_at = now()
            where excluded.changed_at > w.changed_at
                or case when excluded.commit_lsn > 0 and w.commit_lsn > 0 then (excluded.commit_lsn, excluded.lsn) > (w.commit_lsn, w.lsn)
                    else excluded.lsn > w.lsn end
            """)

    /// $1 most grants. Makes and ends the memberships of the grants that are due. Returns at least one row: how many grants were due, then channel
    /// and user of a membership that ended.
    static let settleAccess = Statement(
        name: "settleAccess",
        sql: """
            with due as materialized (
                select g.cause, g.rule, g.ctid as place, g.held_user, g.held_channel, v.is_valid,
                    case when v.is_valid then g.user_id end as wanted_user, case when v.is_valid then g.channel end as wanted_channel,
                    case when g.user_id is null then null
                        when g.valid_from > now() then g.valid_from
                        when g.valid_until > now() then g.valid_until end as next_at
                from hub.access_grant g
                cross join lateral (
                    select g.user_id is not null and coalesce(g.valid_from <= now(), true) and coalesce(g.valid_until > now(), true) as is_valid
                ) v
                where g.due_at <= now()
                order by g.due_at limit $1::bigint
                for update of g skip locked
            ), settled as (
                update hub.access_grant g
                set held_user = d.wanted_user, held_channel = d.wanted_channel, due_at = d.next_at
                from due d where g.ctid = d.place
            ), lost as materialized (
                select distinct d.held_user as user_id, d.held_channel as channel from due d
                where d.held_user is not null
                    and (d.held_user, d.held_channel) is distinct from (d.wanted_user, d.wanted_channel)
                    and not exists (
                        select from due k where k.wanted_user = d.held_user and k.wanted_channel = d.held_channel
                    )
                    and not exists (
                        select from hub.access_grant k
                        where k.held_channel = d.held_channel and k.held_user = d.held_user
                            and not exists (select from due o where o.cause = k.cause and o.rule = k.rule)
                    )
            ), ended as (
                delete from hub.member m using (
                    select c.id, l.user_id, l.channel from lost l
                    cross join lateral (select c.id from hub.channel c where c.name = l.channel limit 1) c
                    order by c.id, l.user_id
                ) l
                cross join lateral (
                    select m.ctid from hub.member m where m.channel_id = l.id and m.user_id = l.user_id and m.granted limit 1
                ) held
                where m.ctid = held.ctid
                returning l.channel, l.user_id
            ), begun as (
                insert into hub.member (channel_id, user_id, granted)
                select c.id, w.user_id, true
                from (
                    select distinct d.wanted_user as user_id, d.wanted_channel as channel from due d where d.wanted_user is not null
                ) w
                cross join lateral (select c.id from hub.channel c where c.name = w.channel limit 1) c
                order by c.id, w.user_id
                on conflict (channel_id, user_id) do nothing
            )
            select n.taken, e.channel, e.user_id from (select count(*) as taken from due) n left join ended e on true
            """)
}
