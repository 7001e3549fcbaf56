import Messaging
import Postgres
import StoreAPI

/// `sources` orders: a hub tells which sources of changes it heard, and learns what all hubs of its consumer group know.
enum Sources: StoreOperation {
    static let statements: [Statement] = [.lockSources, .tellSources]
    static let lane = LaneName.cursors
    // The intake has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Sources that are watched. A platform has one for each database that it captures.
    static let most = 100

    static func batch(of orders: [PendingOrder]) -> any Batch { SourceBatch(orders) }
}

struct SourceBatch: Batch {
    private var report = SourceReport(group: "", heard: [], read: [], waiting: [], silentAfter: .zero)

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .sources(let report) = pending.order.request else {
                assertionFailure("not a sources order")
                continue
            }
            self.report = report
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var locks = Parameters()
        locks.append(report.group)
        locks.append(report.heard.map(\.name) + report.read + report.waiting)
        var told = Parameters()
        told.append(report.group)
        told.append(report.heard.map(\.name))
        told.append(report.heard.map(\.topic))
        told.append(report.heard.map(\.partition))
        told.append(report.heard.map(\.isHeartbeat))
        told.append(report.read)
        told.append(report.waiting)
        told.append(Int64(report.silentAfter / .milliseconds(1)))
        return [(.lockSources, locks), (.tellSources, told)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 2 else { return nil }
        let rows = rows[1]
        var states: [SourceState] = []
        for row in 0..<rows.count {
            guard let name = rows.text(row, 0), let topic = rows.text(row, 1), let partition = rows.int32(row, 2),
                let age = rows.int64(row, 3)
            else { return nil }
            states.append(
                SourceState(
                    name: name, topic: topic, partition: partition, age: .milliseconds(age),
                    silence: rows.int64(row, 4).map { .milliseconds($0) }))
        }
        return BatchOutcome(replies: [.sources(states)])
    }
}

extension Statement {
    /// $1 consumer group, $2 names.
    static let lockSources = Statement(
        name: "lockSources",
        sql: """
            select s.name from hub.source s where s.consumer_group = $1::text and s.name = any ($2::text[]) order by s.name for no key update
            """)

    /// $1 consumer group; $2 name, $3 topic, $4 partition and $5 whether a heartbeat of the sources heard; $6 names of which everything is
    /// read, $7 of which something may wait; $8 milliseconds. Returns each source of the group with its place, its age and, if it is silent,
    /// since when, in milliseconds.
    ///
    /// A source becomes silent only by the word of the hub that has read all of its partition, and when no hub said lately that something of
    /// it waits. A transaction's `now()` is its start, and it may have waited for another one that heard the source later.
    static let tellSources = Statement(
        name: "tellSources",
        sql: """
            with heard as (
                insert into hub.source as s (consumer_group, name, topic, partition, is_heartbeat, heard_at)
                select $1::text, h.name, h.topic, h.partition, h.is_heartbeat, clock_timestamp()
                from unnest($2::text[], $3::text[], $4::int4[], $5::bool[]) h (name, topic, partition, is_heartbeat)
                order by h.name
                on conflict (consumer_group, name) do update set
                    topic = case when excluded.is_heartbeat or not s.is_heartbeat then excluded.topic else s.topic end,
                    partition = case when excluded.is_heartbeat or not s.is_heartbeat then excluded.partition else s.partition end,
                    is_heartbeat = excluded.is_heartbeat or s.is_heartbeat,
                    heard_at = excluded.heard_at, silent_since = null
                returning s.name, s.topic, s.partition, s.heard_at, s.silent_since
            ), judged as (
                update hub.source s set
                    waited_at = case when s.name = any ($7::text[]) then clock_timestamp() else s.waited_at end,
                    silent_since = case
                        when s.name = any ($6::text[]) and s.name <> all ($7::text[])
                            and s.heard_at < clock_timestamp() - $8::int8 * interval '1 millisecond'
                            and coalesce(s.waited_at < clock_timestamp() - interval '5 seconds', true)
                        then coalesce(s.silent_since, clock_timestamp()) else s.silent_since end
                where s.consumer_group = $1::text and s.name = any ($6::text[] || $7::text[]) and s.name <> all ($2::text[])
                    -- A row is written only when it changes, once a second at most.
                    and (s.name = any ($7::text[]) or s.silent_since is null
                        and s.heard_at < clock_timestamp() - $8::int8 * interval '1 millisecond')
                returning s.name, s.topic, s.partition, s.heard_at, s.silent_since
            ), forgotten as (
                delete from hub.source s
                where s.consumer_group = $1::text and s.heard_at < now() - interval '30 days'
                    and s.name <> all ($2::text[] || $6::text[] || $7::text[])
                returning s.name
            )
            select n.name, n.topic, n.partition,
                greatest(extract(epoch from clock_timestamp() - n.heard_at) * 1000, 0)::int8,
                -- `greatest` leaves out null.
                case when n.silent_since is not null
                    then greatest(extract(epoch from clock_timestamp() - n.silent_since) * 1000, 0)::int8 end
            from (
                select * from heard union all select * from judged union all
                select s.name, s.topic, s.partition, s.heard_at, s.silent_since from hub.source s
                where s.consumer_group = $1::text and s.name not in (
                    select h.name from heard h union all select j.name from judged j union all select f.name from forgotten f)
            ) n
            order by n.name limit \(Sources.most)
            """)
}
