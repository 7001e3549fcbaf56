import Messaging
import StoreAPI

/// `ingest` orders. They have a turn of their own, so that messages of users wait for one batch of them at most. An order that is larger
/// than a batch is carried out by several transactions, and the last of them stores its positions. If one fails, the order fails; when it
/// is handed in again, the entries that are stored already are recognized by their keys.
enum Ingests: StoreOperation {
    // Its batches also execute `lockChannels` of `Entries`, which the same connection prepares.
    static let statements: [Statement] = [.ensureChannels, .storeEntries, .lockRetractedChannels, .retractEntries]
    static let lane = LaneName.entries
    static let capacity = 1_000
    // The intake hands in one order at a time, and its drafts are in order.
    static let unsorted = Int.max
    static let waitsWhileAway = false
    // The intake waits for the end of what it asked for, because a repeat takes as long.
    static let isImpatient = false

    static func batch(of orders: [PendingOrder]) -> any Batch {
        if orders.count == 1, RetractingBatch.isNeeded(for: orders[0].order.request) { return RetractingBatch(orders[0]) }
        return EntryBatch(orders, areIngested: true)
    }

    static func outage(of request: StoreRequest, isSlow: Bool) -> StoreFailure { isSlow ? .tooSlow : .unavailable }

    static func drafts(of request: StoreRequest) -> [EntryDraft] {
        if case .ingest(let drafts, _, _) = request { drafts } else { [] }
    }

    struct Filling: BatchFilling {
        private var isEmpty = true
        private var isTaken = false

        func weight(of request: StoreRequest) -> Int? {
            guard case .ingest(let drafts, let positions, _) = request else { return 1 }
            if isTaken || !isEmpty && RetractingBatch.isNeeded(for: request) { return nil }
            // An order that is larger than a batch is alone in it.
            return min(drafts.reduce(positions.count) { $0 + Entries.weight(of: $1) }, capacity)
        }

        mutating func add(_ request: StoreRequest) {
            isEmpty = false
            isTaken = RetractingBatch.isNeeded(for: request)
        }
    }
}

extension Statement {
    /// $1 names. Only `open` makes conversations.
    static let ensureChannels = Statement(
        name: "ensureChannels",
        sql: """
            insert into hub.channel (name, kind)
            select distinct n.name, split_part(n.name, ':', 1)
            from unnest($1::text[]) n (name)
            left join hub.channel c on c.name = n.name collate "C"
            where n.name not like 'conversation:%' and c.id is null
            order by 1
            on conflict (name) do nothing
            """)

    /// The entries of events, for which nobody needs to be a member, and which are hidden from nobody. $1 nulls, then the draft's fields. Returns
    /// the columns of `storeMessages`, and whether the entry has replaced others.
    ///
    /// A draft with a collapse key replaces the entries with this key: they get `retracted_at`, keep their content, and no longer count.
    ///
    /// Then the positions of records: $17 topic, $18 partition, $19 offset, $20 the offset that must have been reached before, or null, $21 consumer
    /// group, $22 whether the group has given this hub the partition since; and of the drafts $23 the record. When one was not reached, or another hub has the partition, no
    /// record is stored, and a row for each position follows those of the drafts: null, the stored position or null.
    /// Both are one statement, so that both judge by the same state of the positions.
    static let storeEntries = Statement(
        name: "storeEntries",
        sql: """
            with \(Clause.drafts(more: ", $23::text[]", named: ", record")), \(Clause.reachedPositions), target as (
                select d.*, c.id as channel_id, c.last_seq, c.kind as channel_kind, null::text[] as hides,
                    c.id is not null and not lack.is_behind as allowed, coalesce(d.reply_to <= c.last_seq, true) as answers
                from lack cross join draft d
                left join hub.channel c on c.name = d.channel collate "C"
            ), \(Clause.knownDrafts), numbered as (
                select k.*, k.fresh as is_new,
                    k.last_seq + count(*) filter (where k.fresh) over (partition by k.channel_id order by k.ordinal) as next_seq
                from known k
            ), \(Clause.sequencedDrafts), \(Clause.collapsing), stored as (
                insert into hub.entry (
                    channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
                    created_at, expires_at, receipt_required, trace, retracted_at, record
                )
                select s.channel_id, s.seq, s.source, s.source_id, s.kind, s.event_type, s.priority, s.form, s.sender,
                    ('{' || s.content || '}')::json, s.group_key, s.collapse_key, s.stamp, s.expires_at, s.receipt_required, s.trace,
                    case when g.is_replaced then s.stamp end, s.record
                from sequenced s left join collapsing g on g.channel_id = s.channel_id and g.seq = s.seq
                where s.is_new order by s.channel_id, s.seq
            ), \(Clause.replaced()), \(Clause.replacing), counted as (
                update hub.channel c set last_seq = m.seq,
                    -- A cursor that is moved meanwhile does not see this transaction yet: no statement takes longer.
                    recount_from = case when c.id in (select r.channel_id from replaced r) then clock_timestamp() + interval '10 seconds'
                        else c.recount_from end
                from (select channel_id, max(seq) as seq from sequenced where is_new group by channel_id) m
                where c.id = m.channel_id
            ), \(Clause.movedPositions()), \(Clause.listedByEvents), \(Clause.journalEntries)
            select o.admitted, o.seq, o.stored_at, o.is_new, o.answers, o.members, false, null::text[], o.replaces from (
                select s.admitted, s.seq, coalesce(s.known_at, s.stamp) as stored_at, s.is_new, s.answers or not s.allowed as answers,
                    case when s.admitted and s.channel_kind = 'conversation'
                            and row_number() over (partition by s.channel_id, s.admitted, s.is_new order by s.ordinal desc) = 1
                        then array(select m.user_id from hub.member m where m.channel_id = s.channel_id order by 1)
                    end as members,
                    -- Most batches have no collapse key, and do not look.
                    case when s.is_new and s.collapse_key is not null
                        then (s.channel_id, s.seq) in (select r.channel_id, r.seq from replacing r) else false end as replaces,
                    1 as part, s.ordinal
                from sequenced s
                union all
                select null, r.stored, null, null, null, null, null, 2, r.ordinal from lack cross join reached r where lack.is_behind
            ) o
            order by o.part, o.ordinal
            """)
}
