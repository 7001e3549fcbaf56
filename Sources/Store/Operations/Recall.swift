import Bus
import Messaging
import Postgres

/// Asks whether this hub is the only one on its database.
struct ClaimBatch: Batch {
    var statements: [(statement: Statement, parameters: Parameters)] { [(.claim, Parameters())] }
    func outcome(of rows: [Rows]) -> BatchOutcome? { rows.first?.bool(0, 0) == nil ? nil : BatchOutcome(replies: []) }
}

/// Writes a row that is known to be good. When the database refuses this row too, the fault is the database's: for example, PostgreSQL at
/// the limit of its transaction ids refuses every write, with the same class of error as a value that is too long (54).
struct ProbeBatch: Batch {
    var statements: [(statement: Statement, parameters: Parameters)] { [(.probe, Parameters())] }
    func outcome(of rows: [Rows]) -> BatchOutcome? { BatchOutcome(replies: []) }
}

/// Looks up the entries of orders that were given up while it was unknown whether their transactions had committed. Stored entries are
/// announced on the bus.
struct RecallBatch: Batch {
    let drafts: [EntryDraft]

    var statements: [(statement: Statement, parameters: Parameters)] {
        var keys = Parameters()
        keys.append(drafts.map(\.channel.storedName))
        keys.append(drafts.map(\.source))
        keys.append(drafts.map(\.id))
        return [(.recallEntries, keys)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let found = rows.first else { return nil }
        var entries: [Entry] = []
        for row in 0..<found.count {
            guard let position = found.int64(row, 0), position >= 1, position <= drafts.count,
                let seq = Seq(stored: found.int64(row, 1)), let time = found.time(row, 2)
            else { return nil }
            let hiddenFrom = (found.texts(row, 3) ?? []).compactMap { UserID($0) }
            let draft = drafts[Int(position) - 1]
            entries.append(
                Entry(
                    seq: seq, createdAt: Timestamp(time), draft: draft, hiddenFrom: hiddenFrom,
                    // It is not known any more, so it may have.
                    replaces: draft.collapse != nil))
        }
        return BatchOutcome(events: entries.isEmpty ? [] : [.entries(entries)], replies: [])
    }
}

extension Statement {
    /// Takes a shared lock, once, and returns whether no other connection holds it. The connection holds it until it ends. The number is
    /// arbitrary, but every version must use the same: hubs before 0.7 take the lock for themselves alone.
    static let claim = Statement(
        name: "claim",
        sql: """
            with holder as materialized (
                select l.pid from pg_locks l
                where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::int8 << 32) + l.objid::int8 = 4857210938
                    and l.database = (select d.oid from pg_database d where d.datname = current_database())
            ), mine as materialized (
                select case when exists (select from holder where pid = pg_backend_pid()) then true
                    else pg_try_advisory_lock_shared(4857210938) end as is_held
            )
            select m.is_held and not exists (select from holder where pid <> pg_backend_pid()) from mine m
            """)

    /// No topic of Kafka can have this name.
    static let probe = Statement(
        name: "probe",
        sql: """
            insert into hub.intake_position (consumer_group, topic, partition, position, updated_at)
            values ('hub:probe', 'hub:probe', 0, 0, clock_timestamp())
            on conflict (consumer_group, topic, partition) do update set updated_at = excluded.updated_at
            """)

    /// $1 channel, $2 source, $3 id. Returns position (from 1), seq and time of each entry that is stored, and from whom it is hidden.
    static let recallEntries = Statement(
        name: "recallEntries",
        sql: """
            select k.ordinal, e.seq, e.created_at, e.hidden_from
            from unnest($1::text[], $2::text[], $3::text[]) with ordinality k (channel, source, source_id, ordinal)
            join hub.channel c on c.name = k.channel collate "C"
            cross join lateral (
                select e.channel_id, e.seq, e.created_at, e.hidden_from from hub.entry e
                where e.channel_id = c.id and e.source = k.source collate "C" and e.source_id = k.source_id collate "C"
                limit 1
            ) e
            order by e.channel_id, e.seq
            """)
}
