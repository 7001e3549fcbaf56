import Bus
import Messaging
import Postgres
import StoreAPI

/// `append` orders.
enum Entries: StoreOperation {
    static let statements: [Statement] = [.lockChannels, .storeMessages]
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
            if case .ingest(let ingested, let reached, _) = pending.order.request {
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
        if let known = positions.firstIndex(where: { $0.isOfSamePartition(as: position) }) {
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
        entries.append(entriesOf: drafts) { $0.draft }
        if areIngested {
            entries.append(positions)
            entries.append(recordsOf: drafts) { $0.draft }
        }

        let stored = [
            (statement: Statement.lockChannels, parameters: channels),
            (statement: areIngested ? .storeEntries : .storeMessages, parameters: entries),
        ]
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
                // What a commit has replaced whose outcome was unknown is not known any more.
                guard let replaces = !areIngested ? false : isFresh ? stored.bool(row, 8) : draft.draft.collapse != nil else { return nil }
                fresh.append(
                    Entry(seq: seq, createdAt: createdAt, draft: draft.draft, hiddenFrom: hiddenFrom, replaces: replaces))
                if let members = stored.texts(row, 5) {
                    active.append(.active(draft.draft.channel, members: members.compactMap { UserID($0) }))
                }
            }
        }
        let events: [BusEvent] = fresh.isEmpty ? [] : [.entries(fresh)] + active
        if isPartial, !isBehind { return BatchOutcome(events: events, replies: [], partial: results[0]) }
        let replies = orders.indices.map { index -> StoreReply in
            if isBehind, case .ingest(_, let reached, _) = orders[index].order.request { return .behind(known(reached, stored)) }
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
            let position = positions[index]
            guard reached.contains(where: { $0.isOfSamePartition(as: position) }), let offset = rows.int64(drafts.count + index, 1)
            else { return nil }
            return IngestPosition(group: position.group, topic: position.topic, partition: position.partition, offset: offset)
        }
    }
}

extension Statement {
    /// $1 names.
    static let lockChannels = Statement(
        name: "lockChannels",
        sql: """
            select c.id from hub.channel c where c.name = any ($1::text[]) order by c.id for no key update
            """)

    /// $1 how many messages nobody may have answered (0: any number), then the draft's fields. Returns one row per draft, in their order:
    /// admitted, seq, created_at, fresh, false if the only reason of a refusal is that the entry it replies to does not exist; the members of
    /// the conversation who are told that it is active, with the last draft for it; true if the only reason of a refusal is that nobody
    /// answered; and from whom the entry is hidden.
    ///
    /// A conversation is unanswered while one user has written all of its messages. Its channel keeps this user and the number, until
    /// another user writes. So nothing is read to decide.
    ///
    /// A draft that is not admitted is not stored, but the others are. Of several drafts with one key the first is stored.
    static let storeMessages = Statement(
        name: "storeMessages",
        sql: """
            with \(Clause.drafts), target as (
                select d.*, c.id as channel_id, c.last_seq, c.kind as channel_kind, c.sole_sender, c.unanswered, m.hidden_from as hides,
                    m.user_id is not null as allowed, coalesce(d.reply_to <= c.last_seq, true) as answers
                from draft d
                left join hub.channel c on c.name = d.channel collate "C"
                left join hub.member m on m.channel_id = c.id and m.user_id = d.sender collate "C"
            ), \(Clause.knownDrafts), counting as materialized (
                select k.*, count(*) filter (where k.fresh) over (partition by k.channel_id order by k.ordinal) as nth from known k
            ), bounded as materialized (
                -- Without another writer, all of the `nth` new messages are the sender's own. The last condition reads the batch, so it is tried last.
                select n.*, case
                        when n.fresh and n.most_unanswered > 0 and n.unanswered + n.nth > n.most_unanswered
                            and n.sender = coalesce(n.sole_sender, n.sender) collate "C"
                        then not exists (
                            select from counting o
                            where o.channel_id = n.channel_id and o.ordinal < n.ordinal and o.fresh and o.sender <> n.sender collate "C"
                        )
                        else false
                    end as exceeds
                from counting n
            ), excess as materialized (
                select b.channel_id, b.ordinal from bounded b where b.exceeds
            ), numbered as (
                -- Nearly no batch has a message that exceeds the bound. Such a message has no number.
                select b.*, b.fresh and not b.exceeds as is_new, case when not b.exceeds then b.last_seq + b.nth - case
                        when exists (select from excess)
                        then (select count(*) from excess x where x.channel_id = b.channel_id and x.ordinal < b.ordinal) else 0
                    end end as next_seq
                from bounded b
            ), \(Clause.sequencedDrafts), stored as (
                insert into hub.entry (
                    channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
                    created_at, expires_at, receipt_required, trace, hidden_from
                )
                select channel_id, seq, source, source_id, kind, event_type, priority, form, sender, ('{' || content || '}')::json,
                    group_key, collapse_key, stamp, expires_at, receipt_required, trace, hidden_from
                from sequenced where is_new order by channel_id, seq
            ), counted as (
                update hub.channel c set last_seq = m.seq, unanswered = m.unanswered,
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
            ), \(Clause.journalEntries)
            select s.admitted and s.seq is not null, s.seq, coalesce(s.known_at, s.stamp), s.is_new, s.answers or not s.allowed,
                case when s.admitted and s.seq is not null
                        and row_number() over (
                            partition by s.channel_id, s.admitted and s.seq is not null, s.is_new, s.hidden_from order by s.ordinal desc
                        ) = 1
                    then array(select m.user_id from hub.member m where m.channel_id = s.channel_id and \(Clause.isShown(to: "m")) order by 1)
                end,
                s.admitted and s.seq is null, s.hidden_from
            from sequenced s
            order by s.ordinal
            """)
}
