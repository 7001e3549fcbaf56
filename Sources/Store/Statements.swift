import Messaging

/// The SQL of the store. Every statement takes arrays, one element per order, so that a batch is one execution.
///
/// Locks, always taken in this order, so that two hubs on one database cannot wait for each other:
/// channel names being made (by name), channel rows (by id), ingest positions (by topic, partition);
/// cursor rows (by user, channel) in transactions of their own.
/// Within a transaction each statement sees what was committed when it began (READ COMMITTED), so the statement after
/// a lock sees the last holder's work.
enum Statement: String, CaseIterable {
    case ensureChannels, lockChannels, storeEntries, storePositions, recallEntries
    case makeConversations, makeConversationChannels, makeMembers, conversationStates
    case ackCursors, ensureCursors, lockCursors, moveCursors
    case states
    case pages
    case claim

    var sql: String {
        switch self {
        case .ensureChannels: Self.ensureChannelsSQL
        case .lockChannels: Self.lockChannelsSQL
        case .storeEntries: Self.storeEntriesSQL
        case .storePositions: Self.storePositionsSQL
        case .recallEntries: Self.recallEntriesSQL
        case .makeConversations: Self.makeConversationsSQL
        case .makeConversationChannels: Self.makeConversationChannelsSQL
        case .makeMembers: Self.makeMembersSQL
        case .conversationStates: Self.conversationStatesSQL
        case .ackCursors: Self.ackCursorsSQL
        case .ensureCursors: Self.ensureCursorsSQL
        case .lockCursors: Self.lockCursorsSQL
        case .moveCursors: Self.moveCursorsSQL
        case .states: Self.statesSQL
        case .pages: Self.pagesSQL
        case .claim: Self.claimSQL
        }
    }
}

// MARK: Entries

extension Statement {
    /// Held by the connection until it ends. Any number will do, as long as every version uses the same.
    private static let claimSQL = "select pg_try_advisory_lock(4857210938)"

    /// $1 names. Conversations are made by `open` only.
    private static let ensureChannelsSQL = """
        insert into hub.channel (name, kind)
        select distinct n.name, split_part(n.name, ':', 1)
        from unnest($1::text[]) n (name)
        left join hub.channel c on c.name = n.name collate "C"
        where n.name not like 'conversation:%' and c.id is null
        order by 1
        on conflict (name) do nothing
        """

    /// $1 names.
    private static let lockChannelsSQL = """
        select c.id from hub.channel c where c.name = any ($1::text[]) order by c.id for no key update
        """

    /// $1 by a member only, then the draft's fields. One row per draft, in their order:
    /// admitted, seq, created_at, fresh; and whether it was only refused for the entry it answers (false).
    ///
    /// A draft that is not admitted is left out, the others are stored. Of drafts with one key the first is stored.
    /// Its key is looked up whole (`lateral`): a plan made while the table was empty would read the channel for each draft.
    private static let storeEntriesSQL = """
        with draft as materialized (
            select * from unnest(
                $1::bool[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]
            ) with ordinality d (
                members_only, channel, source, source_id, kind, event_type, priority, form, sender,
                content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, place
            )
        ), target as (
            select d.*, c.id as channel_id, c.last_seq,
                c.id is not null and (not d.members_only or m.user_id is not null) as allowed,
                coalesce(d.reply_to <= c.last_seq, true) as answers
            from draft d
            left join hub.channel c on c.name = d.channel collate "C"
            left join hub.member m on d.members_only and m.channel_id = c.id and m.user_id = d.sender collate "C"
        ), judged as (
            select t.*, t.allowed and t.answers as admitted from target t
        ), known as (
            select t.*, e.seq as known_seq, e.created_at as known_at,
                t.admitted and e.seq is null and row_number() over (
                    partition by t.channel_id, t.source collate "C", t.source_id collate "C", t.admitted order by t.place
                ) = 1 as fresh
            from judged t
            left join lateral (
                select e.seq, e.created_at from hub.entry e
                where e.channel_id = t.channel_id and e.source = t.source collate "C" and e.source_id = t.source_id collate "C"
                limit 1
            ) e on true
        ), numbered as (
            select k.*, k.last_seq + count(*) filter (where k.fresh) over (partition by k.channel_id order by k.place) as next_seq
            from known k
        ), placed as materialized (
            select n.*, clock.stamp,
                coalesce(n.known_seq, first_value(n.next_seq) over (
                    partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.place
                )) as seq
            from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
        ), stored as (
            insert into hub.entry (
                channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
                created_at, expires_at, receipt_required, trace
            )
            select channel_id, seq, source, source_id, kind, event_type, priority, form, sender, ('{' || content || '}')::json,
                group_key, collapse_key, stamp, expires_at, receipt_required, trace
            from placed where fresh order by channel_id, seq
        ), counted as (
            update hub.channel c set last_seq = m.seq
            from (select channel_id, max(seq) as seq from placed where fresh group by channel_id) m
            where c.id = m.channel_id
        )
        select admitted, seq, coalesce(known_at, stamp), fresh, answers or not allowed from placed order by place
        """

    /// $1 topic, $2 partition, $3 offset.
    private static let storePositionsSQL = """
        insert into hub.ingest_position (topic, partition, position, updated_at)
        select p.topic, p.partition, p.position, now()
        from unnest($1::text[], $2::int4[], $3::int8[]) p (topic, partition, position)
        order by p.topic collate "C", p.partition
        on conflict (topic, partition) do update set position = excluded.position, updated_at = excluded.updated_at
        """

    /// $1 channel, $2 source, $3 id. Place (from 1), seq and time of those that are stored.
    private static let recallEntriesSQL = """
        select k.place, e.seq, e.created_at
        from unnest($1::text[], $2::text[], $3::text[]) with ordinality k (channel, source, source_id, place)
        join hub.channel c on c.name = k.channel collate "C"
        cross join lateral (
            select e.channel_id, e.seq, e.created_at from hub.entry e
            where e.channel_id = c.id and e.source = k.source collate "C" and e.source_id = k.source_id collate "C"
            limit 1
        ) e
        order by e.channel_id, e.seq
        """
}

// MARK: Reading

extension Statement {
    /// Where each user of `ask ("order", place, user_id, channel, id, head, kind, rank, cut)` stands; the columns of
    /// `ChannelState(row:)`, then `cut`.
    static let standing = """
        select p."order", p.channel, coalesce(p.head, 0), coalesce(p.delivered, 0), coalesce(p.seen, 0), coalesce(p.read, 0),
            coalesce(p.read_set, '{}'), coalesce(p.version, 0),
            least(case when p.anew then 0 else p.unread end + t.unread, \(countedEntries)),
            least(case when p.anew then 0 else p.unseen end + t.unseen, \(countedEntries)),
            least(case when p.anew then 0 else p.urgent end + t.urgent, \(countedEntries)),
            o.users, o.delivered, o.read, least(case when p.anew then null else p.recount_at end, t.next_expiry), p.cut
        from (
            select a.*, k.delivered, coalesce(k.seen, 0) as seen, k.read, k.read_set, k.version, k.unread, k.unseen, k.urgent, k.recount_at,
                f.anew, int8multirange(int8range(1, coalesce(k.read, 0) + 1)) + coalesce(k.read_set, '{}') as has_read,
                greatest(case when f.anew then coalesce(k.read, 0) else k.counted end, a.head - \(countedEntries)) as counted_from
            from ask a
            left join lateral (
                select k.* from hub.cursor k where k.user_id = a.user_id collate "C" and k.channel_id = a.id limit 1
            ) k on true
            cross join lateral (select k.version is null or coalesce(k.recount_at <= now(), false) as anew) f
        ) p
        cross join lateral (\(tally)) t
        cross join lateral (
            select array_agg(m.user_id order by m.user_id) as users, array_agg(coalesce(k.delivered, 0) order by m.user_id) as delivered,
                array_agg(coalesce(k.read, 0) order by m.user_id) as read
            from hub.member m
            left join lateral (
                select k.* from hub.cursor k where k.user_id = m.user_id and k.channel_id = m.channel_id limit 1
            ) k on true
            where p.kind = 'conversation' and m.channel_id = p.id
        ) o
        order by p."order", p.place, p.rank, p.id
        """

    /// $1 channel, $2 after or null, $3 before or null, $4 how many at most. At least one row per channel that exists:
    /// place (from 1), head, then the entry's columns, null when there is none. A page ends with the entry that does not fit any
    /// more: one row tells that there are more, whatever bound was reached.
    private static let pagesSQL = """
        select a.place::int4, c.last_seq, e.*
        from unnest($1::text[], $2::int8[], $3::int8[], $4::int4[]) with ordinality a (channel, after, before, most, place)
        join \(namedChannel) c on true
        left join lateral (
            select \(entryColumns) from (
                (select e.*, row_number() over w as nth, sum(octet_length(e.content::text)) over w - octet_length(e.content::text) as ahead
                 from hub.entry e
                 where e.channel_id = c.id and a.after is not null and e.seq > a.after
                 window w as (order by e.seq rows unbounded preceding)
                 order by e.seq limit a.most)
                union all
                (select e.*, row_number() over w, sum(octet_length(e.content::text)) over w - octet_length(e.content::text)
                 from hub.entry e
                 where e.channel_id = c.id and a.after is null and e.seq < coalesce(a.before, 9223372036854775807)
                 window w as (order by e.seq desc rows unbounded preceding)
                 order by e.seq desc limit a.most)
            ) e
            where e.nth <= 2 or e.ahead <= \(PageBatch.bytes)
        ) e on true
        order by a.place, e.seq
        """

    private static let entryColumns = """
        e.seq, e.created_at, e.source, e.source_id, e.kind, e.event_type, e.priority, e.form, e.sender, e.content, e.group_key,
        e.collapse_key, e.expires_at, e.receipt_required, e.trace
        """
}
