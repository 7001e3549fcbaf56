import Bus
import Messaging
import Postgres
import StoreAPI

/// `change` orders: messages that their authors edit or delete.
enum Changes: StoreOperation {
    // `Entries` has `lockChannels`, which the same connection prepares.
    static let statements: [Statement] = [.changeEntry]
    static let lane = LaneName.entries
    // One, so that a transaction locks the cursors of one conversation only and never waits for the lane of cursors in a circle.
    static let capacity = 1
    static let waitsWhileAway = false

    static func batch(of orders: [PendingOrder]) -> any Batch { ChangeBatch(orders) }

    static func drafts(of request: StoreRequest) -> [EntryDraft] {
        if case .change(let draft, _, _) = request { [draft] } else { [] }
    }
}

/// Stores the entry that tells of a change, and the changed message.
struct ChangeBatch: Batch {
    private let orders: [PendingOrder]

    init(_ orders: [PendingOrder]) { self.orders = orders }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var channels = Parameters()
        var changes = Parameters()
        var drafts: [EntryDraft] = []
        var targets: [Int64] = []
        var contents: [String?] = []
        for pending in orders {
            guard case .change(let draft, let target, let content) = pending.order.request else {
                assertionFailure("not a change order")
                continue
            }
            drafts.append(draft)
            targets.append(target.stored)
            contents.append(content)
        }
        channels.append(drafts.map(\.channel.storedName))
        changes.append(drafts.map(\.channel.storedName))
        changes.append(drafts.map { $0.sender?.name })
        changes.append(drafts.map(\.source))
        changes.append(drafts.map(\.id))
        changes.append(drafts.map(\.kind.rawValue))
        changes.append(drafts.map(\.content))
        changes.append(targets.map { Optional($0) })
        changes.append(contents)
        return [(.lockChannels, channels), (.changeEntry, changes)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 2 else { return nil }
        var outcome = BatchOutcome(replies: orders.map { _ in .failed(.forbidden) })
        for row in 0..<rows[1].count {
            guard let position = rows[1].int32(row, 0), position >= 1, position <= orders.count, let isMember = rows[1].bool(row, 1),
                let isFresh = rows[1].bool(row, 4), case .change(let draft, _, _) = orders[Int(position) - 1].order.request
            else { return nil }
            let index = Int(position) - 1
            guard isMember else { continue }
            guard let seq = Seq(stored: rows[1].int64(row, 2)), let time = rows[1].time(row, 3) else {
                outcome.replies[index] = .failed(.notChangeable)
                continue
            }
            let createdAt = Timestamp(time)
            outcome.replies[index] = .stored([StoredDraft(seq: seq, createdAt: createdAt, duplicate: !isFresh)])
            guard isFresh || orders[index].unsettled else { continue }
            let members = (rows[1].texts(row, 5) ?? []).compactMap { UserID($0) }
            let hiddenFrom = (rows[1].texts(row, 6) ?? []).compactMap { UserID($0) }
            outcome.events.append(.entries([Entry(seq: seq, createdAt: createdAt, draft: draft, hiddenFrom: hiddenFrom)]))
            outcome.events.append(.active(draft.channel, members: members))
        }
        return outcome
    }
}

extension Statement {
    /// $1 conversation, $2 user, $3 source, $4 key, $5 kind, $6 content of the new entry, $7 the message, $8 its new members or null to take it
    /// back. Each conversation once. Returns position (from 1), member, seq, created_at, fresh, the members who are told that the conversation is
    /// active, and from whom the entry is hidden; without a seq the message cannot be changed.
    ///
    /// A message has only its newest text: the content of a superseded change is removed, and that of a message that is taken back, too. So a
    /// page of history shows what is true now, and a client that reads all entries in order comes to the same. The new entry has
    /// `retracted_at`, so that it never counts. Counters of users to whom a retracted message counts are counted again (`recount_at`).
    ///
    /// A new text is hidden from those who have blocked the user by now, and with it the message. A message is taken back for all to whom it
    /// was shown.
    private static let isShown = "(a.hidden_from is null or m.user_id <> all (a.hidden_from))"

    static let changeEntry = Statement(
        name: "changeEntry",
        sql: """
            with ask as materialized (
                select a.*, c.id as channel_id, c.last_seq + 1 as seq, date_trunc('milliseconds', clock_timestamp()) as stamp,
                    m.user_id is not null as is_member, k.seq as known_seq, k.created_at as known_at,
                    case when k.seq is not null then k.hidden_from when a.members is null then o.hidden_from else m.hidden_from end as hidden_from,
                    o.seq as target, o.place, s.place as superseded,
                    m.user_id is not null and k.seq is null and o.seq is not null as fresh
                from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::text[]) with ordinality
                    a (channel, user_id, source, source_id, kind, content, message, members, ordinal)
                join \(Clause.namedChannel) c on true
                left join lateral (
                    select m.user_id, m.hidden_from from hub.member m where m.channel_id = c.id and m.user_id = a.user_id collate "C" limit 1
                ) m on true
                left join lateral (
                    select e.seq, e.created_at, e.hidden_from from hub.entry e
                    where e.channel_id = c.id and e.source = a.source collate "C" and e.source_id = a.source_id collate "C" limit 1
                ) k on true
                left join lateral (
                    select e.ctid as place, e.seq, e.hidden_from, (e.content ->> 'edited')::int8 as changed_by from hub.entry e
                    where e.channel_id = c.id and e.seq = a.message and e.kind = 'message' and e.sender = a.user_id collate "C"
                        and e.retracted_at is null
                    limit 1
                ) o on true
                left join lateral (
                    select e.ctid as place from hub.entry e where e.channel_id = c.id and e.seq = o.changed_by limit 1
                ) s on true
            ), stored as (
                insert into hub.entry (
                    channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, created_at, retracted_at, hidden_from
                )
                select channel_id, seq, source, source_id, kind, kind, 'normal', 'full', user_id, ('{' || content || '}')::json, stamp, stamp, hidden_from
                from ask where fresh
            ), counted as (
                update hub.channel c set last_seq = a.seq from ask a where a.fresh and c.id = a.channel_id
            ), listed as (
                update hub.member m set active_at = case when \(isShown) then a.stamp else m.active_at end,
                    hidden_after = case when \(isShown) then null else coalesce(m.hidden_after, a.seq - 1) end
                from ask a where a.fresh and m.channel_id = a.channel_id
            ), changed as (
                update hub.entry e set
                    content = case when a.members is null then json '{"retracted":true}' else (
                        (e.content::jsonb - 'data') || ('{' || a.members || ',"edited":' || a.seq || '}')::jsonb
                    )::json end,
                    retracted_at = case when a.members is null then a.stamp end,
                    hidden_from = case when a.hidden_from is null or a.members is null then e.hidden_from else (
                        select array_agg(distinct u.user_id) from unnest(e.hidden_from || a.hidden_from) u (user_id)
                    ) end
                -- By the row's ctid, so that the planner can only start from `ask`.
                from ask a where a.fresh and e.ctid = a.place
            ), superseded as (
                update hub.entry e set content = ('{"refers":' || a.target || '}')::json
                from ask a where a.fresh and e.ctid = a.superseded
            ), recounted as (
                update hub.cursor k set recount_at = now(), version = k.version + 1
                from ask a
                cross join lateral (
                    select m.user_id from hub.member m where m.channel_id = a.channel_id and m.user_id <> a.user_id collate "C"
                ) m
                -- Not by ctid: a row that another transaction has just moved must be found as well.
                where a.fresh and (a.members is null or m.user_id = any (a.hidden_from)) and k.user_id = m.user_id and k.channel_id = a.channel_id and k.counted >= a.target
            ), sequenced as (
                select channel_id, seq, fresh as is_new from ask
            ), \(Clause.journalEntries)
            select ordinal::int4, is_member, coalesce(known_seq, case when fresh then seq end), coalesce(known_at, stamp), fresh,
                array(select m.user_id from hub.member m where m.channel_id = a.channel_id and \(isShown) order by 1), hidden_from
            from ask a order by ordinal
            """)
}
