import Messaging
import Postgres
import StoreAPI

/// `journal` orders: what other hubs on this database committed since the last reading.
enum Journal: StoreOperation {
    static let statements: [Statement] = [.readJournal]
    static let lane = LaneName.reads
    // `JournalWatch` has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Most changes of one reading. Where there are more, the loops read everything that they show again.
    static let mostChanges = 20_000

    static func batch(of orders: [PendingOrder]) -> any Batch { JournalBatch(orders) }
}

struct JournalBatch: Batch {
    private var after: String?
    private var node = ""

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .journal(let after, let node) = pending.order.request else {
                assertionFailure("not a journal order")
                continue
            }
            self.after = after
            self.node = node
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(after ?? "")
        parameters.append(node)
        return [(.readJournal, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first, rows.count > 0, let position = rows.text(0, 0) else { return nil }
        // The first row has the position alone.
        guard rows.count - 1 <= Journal.mostChanges else { return BatchOutcome(replies: [.journal(next: position, nil)]) }
        var changes: [ElsewhereChange] = []
        for row in 1..<rows.count {
            guard let kind = rows.text(row, 1), let channel = rows.text(row, 2).flatMap({ Channel(storedName: $0) }) else { continue }
            let user = rows.text(row, 4).flatMap { UserID($0) }
            let members = (rows.texts(row, 5) ?? []).compactMap { UserID($0) }
            switch (kind, user) {
            case ("entries", _):
                guard let last = Seq(stored: rows.int64(row, 3)) else { return nil }
                changes.append(.stored(channel, upTo: last, members: members))
            case ("cursors", let user?):
                // An older version has noted none.
                changes.append(.moved(user, channel, version: rows.int64(row, 3).flatMap { UInt64(exactly: $0) } ?? 0))
            case ("opened", let user?): changes.append(.opened(channel, by: user, members: members))
            case ("hiding", let user?): changes.append(.hidingChanged(channel, of: user))
            // A newer version wrote it.
            default: continue
            }
        }
        return BatchOutcome(replies: [.journal(next: position, changes)])
    }
}

extension Clause {
    /// Whether this connection's hub has others, which are to read what it commits.
    private static let isShared = "current_setting('hub.node', true) <> ''"

    /// Notes the new entries of `sequenced`.
    static let journalEntries = journal(entriesOf: "sequenced where is_new")

    /// - Parameter source: the clause, perhaps with a condition; its rows have `channel_id` and `seq`.
    static func journal(entriesOf source: String) -> String {
        """
        journalled as (
            insert into hub.journal (kind, channels, lasts)
            select 'entries', array_agg(n.channel_id), array_agg(n.last)
            from (select channel_id, max(seq) as last from \(source) group by channel_id) n
            where \(isShared) having count(*) > 0
        )
        """
    }

    /// Notes rows that are in other clauses of the statement.
    /// - Parameters:
    ///   - source: the clause, with a condition; its rows have `user_id` and `channel_id`, and those of cursors `version`.
    static func journal(_ kind: String, from source: String, hasVersions: Bool = false) -> String {
        """
        journalled as (
            insert into hub.journal (kind, channels, users\(hasVersions ? ", lasts" : ""))
            select '\(kind)', array_agg(n.channel_id), array_agg(n.user_id)\(hasVersions ? ", array_agg(n.version)" : "")
            from (\(source)) n where \(isShared) having count(*) > 0
        )
        """
    }
}

extension Statement {
    /// $1 the snapshot of the last reading, empty for the first, which looks back a little; $2 the hub that reads. Returns one row with the present snapshot, then of
    /// each change that another hub committed in between: kind, channel, newest entry, user, members who are told.
    ///
    /// A transaction was not to be seen by the last reading if it began later, or was open then. Both are looked up by number, so that a
    /// transaction that stays open for hours makes no reading longer, and none is read twice or missed. A database that went back knows no
    /// transaction as new as the last reading: its readings begin anew, with the epoch.
    static let readJournal = Statement(
        name: "readJournal",
        sql: """
            with reading as materialized (
                select p.now, case when pg_snapshot_xmax(p.before) <= pg_snapshot_xmax(p.now) then p.before end as before
                from (select pg_current_snapshot() as now, nullif($1::text, '')::pg_snapshot as before) p
            ), found as (
                select j.* from reading r
                cross join lateral (
                    select j.* from hub.journal j where j.transaction >= pg_snapshot_xmax(r.before)
                    union all
                    select j.* from pg_snapshot_xip(r.before) x (transaction)
                    cross join lateral (select j.* from hub.journal j where j.transaction = x.transaction) j
                    union all
                    select j.* from hub.journal j
                    where j.transaction >= case when r.before is null then '0'::xid8 end and j.noted_at > now() - interval '30 seconds'
                ) j
                where j.node <> $2::text collate "C"
            ), changed as (
                select f.kind, u.channel_id, max(u.last) as last, u.user_id
                from found f cross join lateral unnest(f.channels, f.lasts, f.users) u (channel_id, last, user_id)
                group by f.kind, u.channel_id, u.user_id
                limit \(Journal.mostChanges + 1)
            )
            select r.now::text, null, null, null::int8, null, null::text[] from reading r
            union all
            select null, n.kind, c.name, n.last, n.user_id, case
                    when n.kind in ('entries', 'opened') and c.kind = 'conversation' then array(
                        select m.user_id from hub.member m
                        where m.channel_id = c.id and m.active_at > '-infinity' and m.hidden_after is null order by 1
                    )
                end
            from changed n
            cross join lateral (select c.id, c.name, c.kind from hub.channel c where c.id = n.channel_id limit 1) c
            """)
}
