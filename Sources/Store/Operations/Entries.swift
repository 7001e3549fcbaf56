import Bus
import Messaging
import Postgres
import StoreAPI

/// `append` orders.
enum Entries: StoreOperation {
    static let statements: [Statement] = [.lockChannels, .storeEntries]
    static let lane = LaneName.entries
    static let capacity = 1_000
    static let unsorted = 256
    static let waitsWhileAway = false

    static func batch(of orders: [PendingOrder]) -> any Batch { EntryBatch(orders, areIngested: false) }

    /// A transaction stores 1 MiB of content at most, or 1 000 rows. At 15 MiB/s, which PostgreSQL checks and stores, that takes 70 ms.
    static func weight(of draft: EntryDraft) -> Int { 1 + draft.content.utf8.count / ((1 << 20) / capacity) }

    struct Filling: BatchFilling {
        func weight(of request: StoreRequest) -> Int? {
            if case .append(let draft, _) = request { Entries.weight(of: draft) } else { 1 }
        }
    }

    static func drafts(of request: StoreRequest) -> [EntryDraft] {
        if case .append(let draft, _) = request { [draft] } else { [] }
    }
}

/// Stores entries; those of the intake in one transaction with the Kafka positions they came from.
struct EntryBatch: Batch {
    private struct Draft {
        let order: Int
        /// How many messages nobody answered; nil for a draft of the intake, which needs no member.
        let mostUnanswered: Int64?
        let draft: EntryDraft
    }

    private let orders: [PendingOrder]
    private let areIngested: Bool
    private var drafts: [Draft] = []
    /// The only order has more drafts than one transaction stores.
    private var isPartial = false
    /// Of each partition the newest offset, and what it comes after.
    private var positions: [IngestPosition] = []

    /// - Parameter areIngested: the orders are `ingest` orders, which may need channels that do not exist yet.
    init(_ orders: [PendingOrder], areIngested: Bool) {
        self.orders = orders
        self.areIngested = areIngested
        for (index, pending) in orders.enumerated() {
            if case .ingest(let ingested, let reached) = pending.order.request {
                let slice = orders.count == 1 ? Self.slice(of: ingested, from: pending.stored.count) : ingested.indices
                for draft in ingested[slice] { drafts.append(Draft(order: index, mostUnanswered: nil, draft: draft)) }
                isPartial = slice.upperBound < ingested.count
                for var position in reached {
                    if isPartial {
                        // A part is stored only where the whole would be, and moves no position on.
                        guard let after = position.after else { continue }
                        position.offset = after
                    }
                    reach(position)
                }
            } else if case .append(let draft, let mostUnanswered) = pending.order.request {
                drafts.append(Draft(order: index, mostUnanswered: Int64(mostUnanswered), draft: draft))
            } else {
                assertionFailure("not an entry order")
            }
        }
    }

    private mutating func reach(_ position: IngestPosition) {
        if let known = positions.firstIndex(where: { $0.partition == position.partition && $0.topic == position.topic }) {
            positions[known].offset = position.offset
        } else {
            positions.append(position)
        }
    }

    /// The drafts that the transaction stores.
    var count: Int { drafts.count }

    /// The drafts from `start` on that one transaction stores, at least one.
    private static func slice(of drafts: [EntryDraft], from start: Int) -> Range<Int> {
        var end = start
        var weight = 0
        while end < drafts.count {
            weight += Entries.weight(of: drafts[end])
            if end > start, weight > Entries.capacity { break }
            end += 1
        }
        return start..<end
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var channels = Parameters()
        var named: Set<Channel> = []
        channels.texts { texts in for draft in drafts where named.insert(draft.draft.channel).inserted { texts.add(draft.draft.channel) } }

        var entries = Parameters()
        entries.append(drafts.map(\.mostUnanswered))
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.channel) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.source) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.id) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.kind.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.eventType) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.priority.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.form.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.sender?.name) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.content) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.group) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.collapse) } }
        entries.append(drafts.map(\.draft.expiresAt?.stored))
        entries.append(drafts.map(\.draft.receiptRequired))
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.trace) } }
        entries.append(drafts.map { $0.draft.replyTo?.stored })
        entries.append(positions.map(\.topic))
        entries.append(positions.map(\.partition))
        entries.append(positions.map(\.offset))
        entries.append(positions.map(\.after))

        let stored = [(statement: Statement.lockChannels, parameters: channels), (statement: .storeEntries, parameters: entries)]
        return areIngested ? [(.ensureChannels, channels)] + stored : stored
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let stored = rows.last, rows.count == (areIngested ? 3 : 2) else { return nil }
        let isBehind = stored.count == drafts.count + positions.count && !positions.isEmpty
        guard stored.count == drafts.count || isBehind else { return nil }
        var results = orders.map(\.stored)
        var refusals = [StoreFailure](repeating: .forbidden, count: orders.count)
        var fresh: [Entry] = []
        var active: [BusEvent] = []
        for (row, draft) in drafts.enumerated() {
            guard let isAdmitted = stored.bool(row, 0), let answers = stored.bool(row, 4), let isUnanswered = stored.bool(row, 6)
            else { return nil }
            guard isAdmitted else {
                results[draft.order].append(nil)
                if !answers { refusals[draft.order] = .noSuchEntry }
                if isUnanswered { refusals[draft.order] = .unanswered }
                continue
            }
            guard let seq = Seq(stored: stored.int64(row, 1)), let time = stored.time(row, 2), let isFresh = stored.bool(row, 3)
            else { return nil }
            let createdAt = Timestamp(time)
            results[draft.order].append(StoredDraft(seq: seq, createdAt: createdAt, duplicate: !isFresh))
            // A duplicate may be the same draft, committed before the connection broke and never announced.
            if isFresh || orders[draft.order].unsettled {
                let hiddenFrom = (stored.texts(row, 7) ?? []).compactMap { UserID($0) }
                fresh.append(Entry(seq: seq, createdAt: createdAt, draft: draft.draft, hiddenFrom: hiddenFrom))
                if let members = stored.texts(row, 5) {
                    active.append(.active(draft.draft.channel, members: members.compactMap { UserID($0) }))
                }
            }
        }
        let events: [BusEvent] = fresh.isEmpty ? [] : [.entries(fresh)] + active
        if isPartial, !isBehind { return BatchOutcome(events: events, replies: [], partial: results[0]) }
        let replies = orders.indices.map { index -> StoreReply in
            if isBehind, case .ingest(_, let reached) = orders[index].order.request { return .behind(known(reached, stored)) }
            let admitted = results[index].compactMap { $0 }
            if admitted.count == results[index].count { return .stored(admitted) }
            if case .append = orders[index].order.request { return .failed(refusals[index]) }
            return .partlyStored(results[index])
        }
        return BatchOutcome(events: events, replies: replies)
    }

    /// The positions that the database has, of the partitions of one order. The rows after those of the drafts hold them.
    private func known(_ reached: [IngestPosition], _ rows: Rows) -> [IngestPosition] {
        positions.indices.compactMap { index in
            let (topic, partition) = (positions[index].topic, positions[index].partition)
            guard reached.contains(where: { $0.topic == topic && $0.partition == partition }),
                let offset = rows.int64(drafts.count + index, 1)
            else { return nil }
            return IngestPosition(topic: topic, partition: partition, offset: offset)
        }
    }
}

extension TextElements {
    fileprivate mutating func add(_ channel: Channel) {
        let name = channel.storedParts
        add(name.prefix, name.name)
    }
}

extension Statement {
    /// $1 names.
    static let lockChannels = Statement(
        name: "lockChannels",
        sql: """
            select c.id from hub.channel c where c.name = any ($1::text[]) order by c.id for no key update
            """)

    /// $1 how many messages nobody may have answered (0: any number), or null for a draft that needs no member; then the draft's fields.
    /// Returns one row per draft, in their order: admitted, seq, created_at, fresh, false if the only reason of a refusal is that the entry
    /// it replies to does not exist; the members of a conversation who are told that it is active, with the last draft for it; true if the
    /// only reason of a refusal is that nobody answered; and from whom the entry is hidden.
    ///
    /// A conversation is unanswered while one user has written all of its messages. Its channel keeps this user and the number, until
    /// another user writes. So nothing is read to decide.
    ///
    /// A draft with a collapse key replaces the entries with this key: they get `retracted_at`, keep their content, and no longer count.
    ///
    /// A draft that is not admitted is not stored, but the others are. Of several drafts with one key the first is stored.
    /// Then the positions of records: $17 topic, $18 partition, $19 offset, $20 the offset that must have been reached before, or null. When
    /// one was not reached, no record is stored, and a row for each position follows those of the drafts: null, the stored position or null.
    /// Both are one statement, so that both judge by the same state of the positions.
    ///
    /// `lateral` and `limit 1` make the planner look up the whole key. A join that was planned while the table was empty would read the
    /// whole channel for each draft.
    static let storeEntries = Statement(
        name: "storeEntries",
        sql: """
            with draft as materialized (
                select * from unnest(
                    $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                    $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]
                ) with ordinality d (
                    most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
                    content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, ordinal
                )
            ), reached as materialized (
                select p.*, i.position as stored
                from unnest($17::text[], $18::int4[], $19::int8[], $20::int8[])
                    with ordinality p (topic, partition, position, after, ordinal)
                left join lateral (
                    select i.position from hub.ingest_position i
                    where i.topic = p.topic collate "C" and i.partition = p.partition
                    limit 1
                ) i on true
            ), lack as materialized (
                select coalesce(bool_or(coalesce(r.stored, -1) < r.after), false) as is_behind from reached r
            ), target as (
                select d.*, c.id as channel_id, c.last_seq, c.kind as channel_kind, c.sole_sender, c.unanswered, m.hidden_from as hides,
                    c.id is not null and case when d.most_unanswered is not null then m.user_id is not null else not lack.is_behind end as allowed,
                    coalesce(d.reply_to <= c.last_seq, true) as answers
                from lack cross join draft d
                left join hub.channel c on c.name = d.channel collate "C"
                left join hub.member m on d.most_unanswered is not null and m.channel_id = c.id and m.user_id = d.sender collate "C"
            ), judged as (
                select t.*, t.allowed and t.answers as admitted from target t
            ), known as (
                select t.*, e.seq as known_seq, e.created_at as known_at,
                    case when e.seq is null then t.hides else e.hidden_from end as hidden_from,
                    t.admitted and e.seq is null and row_number() over (
                        partition by t.channel_id, t.source collate "C", t.source_id collate "C", t.admitted order by t.ordinal
                    ) = 1 as fresh
                from judged t
                left join lateral (
                    select e.seq, e.created_at, e.hidden_from from hub.entry e
                    where e.channel_id = t.channel_id and e.source = t.source collate "C" and e.source_id = t.source_id collate "C"
                    limit 1
                ) e on true
            ), bounded as (
                select k.*, coalesce(
                        k.fresh and k.most_unanswered > 0 and k.unanswered + count(k.sender) filter (where k.fresh) over w > k.most_unanswered
                        -- Neither an earlier message nor one of this batch is by another user.
                        and k.sender = coalesce(k.sole_sender, k.sender) collate "C"
                        and k.sender = min(k.sender collate "C") filter (where k.fresh) over w
                        and k.sender = max(k.sender collate "C") filter (where k.fresh) over w, false) as exceeds
                from known k
                window w as (partition by k.channel_id order by k.ordinal)
            ), numbered as (
                select b.*, b.fresh and not b.exceeds as is_new,
                    b.last_seq + count(*) filter (where b.fresh and not b.exceeds) over (partition by b.channel_id order by b.ordinal) as next_seq
                from bounded b
            ), sequenced as materialized (
                select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over w) as seq,
                    n.known_seq is null and first_value(n.exceeds) over w as is_refused
                from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
                window w as (
                    partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
                )
            ), collapsing as materialized (
                select s.channel_id, s.seq, s.collapse_key, s.stamp,
                    lead(s.seq) over (partition by s.channel_id, s.collapse_key collate "C" order by s.seq) is not null as is_replaced
                from sequenced s where s.is_new and s.collapse_key is not null
            ), stored as (
                insert into hub.entry (
                    channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
                    created_at, expires_at, receipt_required, trace, hidden_from, retracted_at
                )
                select s.channel_id, s.seq, s.source, s.source_id, s.kind, s.event_type, s.priority, s.form, s.sender,
                    ('{' || s.content || '}')::json, s.group_key, s.collapse_key, s.stamp, s.expires_at, s.receipt_required, s.trace,
                    s.hidden_from, case when g.is_replaced then s.stamp end
                from sequenced s left join collapsing g on g.channel_id = s.channel_id and g.seq = s.seq
                where s.is_new order by s.channel_id, s.seq
            ), replaced as (
                update hub.entry e set retracted_at = h.stamp
                from (
                    select h.place, g.stamp
                    from collapsing g
                    cross join lateral (
                        select e.ctid as place from hub.entry e
                        where e.channel_id = g.channel_id and e.collapse_key = g.collapse_key collate "C" and e.retracted_at is null
                        limit 100
                    ) h
                    where not g.is_replaced
                ) h
                where e.ctid = h.place
                returning e.channel_id
            ), counted as (
                update hub.channel c set last_seq = m.seq, unanswered = m.unanswered,
                    -- A cursor that is moved meanwhile does not see this transaction yet: no statement takes longer.
                    recount_from = case when c.id in (select r.channel_id from replaced r) then clock_timestamp() + interval '10 seconds'
                        else c.recount_from end,
                    sole_sender = case when m.unanswered is not null then m.sender end
                from (
                    select w.channel_id, w.seq, w.first_sender as sender,
                        case when w.first_sender is not distinct from w.last_sender then w.unanswered end as unanswered
                    from (
                        select channel_id, max(seq) as seq, min(unanswered) + count(sender) as unanswered,
                            least(min(sole_sender), min(sender collate "C")) as first_sender,
                            greatest(max(sole_sender), max(sender collate "C")) as last_sender
                        from sequenced where is_new group by channel_id
                    ) w
                ) m
                where c.id = m.channel_id
            ), moved as (
                insert into hub.ingest_position (topic, partition, position, updated_at)
                select r.topic, r.partition, r.position, now()
                from lack cross join reached r where not lack.is_behind
                order by r.topic collate "C", r.partition
                on conflict (topic, partition) do update set position = excluded.position, updated_at = excluded.updated_at
            ), listed as (
                update hub.member m set
                    active_at = case when not n.hides then n.stamp else (
                        select case when max(s.seq) is null then m.active_at else n.stamp end
                        from sequenced s where s.channel_id = m.channel_id and s.is_new and \(Clause.isShown(to: "m"))
                    ) end,
                    hidden_after = case when n.hides then (
                        select case when max(s.seq) = n.newest then null else coalesce(max(s.seq), m.hidden_after, n.oldest - 1) end
                        from sequenced s where s.channel_id = m.channel_id and s.is_new and \(Clause.isShown(to: "m"))
                    ) end
                from (
                    select channel_id, max(stamp) as stamp, min(seq) as oldest, max(seq) as newest, bool_or(hidden_from is not null) as hides
                    from sequenced where is_new and channel_kind = 'conversation'
                    group by channel_id order by channel_id
                ) n
                where m.channel_id = n.channel_id
            )
            select o.admitted, o.seq, o.stored_at, o.fresh, o.answers, o.members, o.is_refused, o.hidden_from from (
                select s.admitted and not s.is_refused as admitted, s.seq, coalesce(s.known_at, s.stamp) as stored_at, s.is_new as fresh,
                    s.answers or not s.allowed as answers, s.is_refused, s.hidden_from,
                    case when s.admitted and not s.is_refused and s.channel_kind = 'conversation'
                            and row_number() over (partition by s.channel_id, s.admitted and not s.is_refused, s.is_new, s.hidden_from order by s.ordinal desc) = 1
                        then array(select m.user_id from hub.member m where m.channel_id = s.channel_id and \(Clause.isShown(to: "m")) order by 1)
                    end as members,
                    1 as part, s.ordinal
                from sequenced s
                union all
                select null, r.stored, null, null, null, null, null, null, 2, r.ordinal from lack cross join reached r where lack.is_behind
            ) o
            order by o.part, o.ordinal
            """)
}
