import Messaging

// What moves cursors, and what it shares with those that read where somebody stands.
extension Statement {
    private static let movers = """
        unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, place)
        \(moverJoins)
        """

    /// The channel that `a.channel` names. Cut off at one row, so that it stays a lookup: planned while there are few channels,
    /// a join would begin with all of them.
    static let namedChannel = """
        lateral (
            select c.id, c.name, c.kind, c.last_seq from hub.channel c where c.name = a.channel collate "C" limit 1
        )
        """

    /// One row per (user, channel) of `a`, as `a` and `c`. In a conversation only members have `isMover`.
    /// (Not `exists`: the planner may answer that by reading the whole table of members once.)
    private static let moverJoins = """
        join \(namedChannel) c on true
        left join hub.member m on c.kind = 'conversation' and m.channel_id = c.id and m.user_id = a.user_id collate "C"
        """

    private static let isMover = "(c.kind <> 'conversation' or m.user_id is not null)"

    /// $1 user, $2 channel (each pair once, no conversations), $3 delivered. The place of each row that was moved, and the columns of
    /// `ChannelState(cursorIn:)`.
    ///
    /// The short way of what `moveCursors` does in general, a fifth of its price. Whatever is not plain is left alone, for
    /// `moveCursors` to find: no row yet, no progress, an entry that may not count or counts as urgent, a count that has run out, a
    /// formal notice among what is delivered. Rows are locked in the cursors' order. Of a row that another changes meanwhile the
    /// conditions are looked at again, so who counted it up to a later head than this statement sees has it left alone, too.
    static let ackCursorsSQL = """
        with ask as materialized (
            select a.user_id, a.place, c.id, c.last_seq as head, least(a.delivered, c.last_seq) as delivered
            from unnest($1::text[], $2::text[], $3::int8[]) with ordinality a (user_id, channel, delivered, place)
            join \(namedChannel) c on true
            order by a.user_id collate "C", c.id
        )
        update hub.cursor k set delivered = a.delivered, version = k.version + 1, updated_at = now(), counted = a.head,
            unread = (k.unread + a.head - k.counted)::int4, unseen = (k.unseen + a.head - k.counted)::int4
        from ask a
        -- By its place, so that the plan can only begin with what is asked.
        cross join lateral (
            select k.ctid as place from hub.cursor k where k.user_id = a.user_id collate "C" and k.channel_id = a.id limit 1
        ) held
        where k.ctid = held.place and k.delivered < a.delivered
            and (k.recount_at is null or k.recount_at > now())
            and k.counted between a.head - \(countedEntries) and a.head
            and (k.counted = a.head or (
                -- None of the numbers is missing, and none is special.
                (select e.seq from hub.entry e where e.channel_id = a.id and e.seq > k.counted order by e.seq limit 1) = k.counted + 1
                and (
                    select e.seq from hub.entry e
                    where e.channel_id = a.id and e.seq > k.counted and e.seq <= a.head and \(isSpecial) order by e.seq limit 1
                ) is null
            ))
            and (
                select e.seq from hub.entry e
                where e.channel_id = a.id and e.receipt_required and e.seq > k.delivered and e.seq <= a.delivered order by e.seq limit 1
            ) is null
        returning a.place::int4, a.head, k.delivered, k.seen, k.read, k.read_set, k.version,
            least(k.unread, \(countedEntries)), least(k.unseen, \(countedEntries)), least(k.urgent, \(countedEntries)), k.recount_at
        """

    /// As the index entry_special says.
    private static let isSpecial =
        "(e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)"

    static let ensureCursorsSQL = """
        insert into hub.cursor (user_id, channel_id)
        select a.user_id collate "C", c.id from \(movers)
        left join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
        where \(isMover) and k.user_id is null
        order by 1, 2
        on conflict (user_id, channel_id) do nothing
        """

    static let lockCursorsSQL = """
        select from \(movers)
        join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
        where \(isMover)
        order by k.user_id, k.channel_id
        for update of k
        """

    /// Of the entries of channel `p.id` above `p.counted_from` and up to `p.head`, those that count for `p.user_id`.
    ///
    /// By arithmetic, for `seq` has no gaps: only entries that may not count, or count as urgent, are looked at, in their own
    /// index. So who comes to a long broadcast for the first time does not have it read.
    static let tally = """
        select (b.ahead - x.unread)::int4 as unread, (b.unseen - x.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry
        from (
            select greatest(p.head - f.start, 0) - c.read as ahead, greatest(p.head - l.seen, 0) - c.unseen as unseen
            -- Numbers are missing at the start only, where old entries were removed.
            from (
                select coalesce(
                    (select e.seq - 1 from hub.entry e where e.channel_id = p.id and e.seq > p.counted_from order by e.seq limit 1),
                    p.head, p.counted_from) as start
            ) f
            cross join lateral (select greatest(p.seen, f.start) as seen) l
            cross join lateral (
                select coalesce(sum(upper(r) - lower(r)), 0) as read,
                    coalesce(sum(upper(r) - greatest(lower(r), l.seen + 1)) filter (where upper(r) > l.seen + 1), 0) as unseen
                from unnest(p.has_read * int8multirange(int8range(f.start + 1, greatest(p.head, f.start) + 1))) r
            ) c
        ) b
        cross join lateral (
            select count(*) filter (where not v.counts) as unread, count(*) filter (where not v.counts and e.seq > p.seen) as unseen,
                count(*) filter (where v.counts and e.priority in ('high', 'critical')) as urgent,
                min(e.expires_at) filter (where v.counts) as next_expiry
            from hub.entry e
            cross join lateral (
                select e.sender is distinct from p.user_id collate "C"
                    and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()) as counts
            ) v
            where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
                and \(isSpecial)
        ) x
        """

    /// Counters look no further back than this many entries behind the head: it bounds what one full count costs.
    static let countedEntries = 10_000

    /// $1 user, $2 channel (each pair once), $3 delivered, $4 seen, $5 entries to make unread, $6 entries to make read,
    /// $7 the session that acknowledged, $8 the session that read.
    ///
    /// When what is read would lie in more than so many pieces, and in more than before, nothing is read or made unread, and the last
    /// column but one is true. The last says whether it is further than before in what the others are told: delivered, read.
    ///
    /// Unread first, then read. Everything is cut at the head. read ≤ seen ≤ delivered: who read it all has seen it, and
    /// who has seen it got it. The counters kept in the row are carried on from `counted` when only `delivered` moved, and
    /// counted anew otherwise, or when a counted entry has expired.
    static let moveCursorsSQL = """
        with ask as materialized (
            select a.user_id, a.channel, a.place, c.id, c.last_seq as head, c.kind, coalesce(a.delivered, 0) as to_delivered,
                coalesce(a.seen, 0) as to_seen, a.unread as make_unread, a.read as make_read, a.delivered_session, a.read_session
            from unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8multirange[], $6::int8multirange[], $7::text[], $8::text[])
                with ordinality a (user_id, channel, delivered, seen, unread, read, delivered_session, read_session, place)
            \(moverJoins)
            where \(isMover)
        ), held as (
            select a.*, k.delivered, k.seen, k.read, k.read_set, k.version, k.counted, k.unread, k.unseen, k.urgent, k.recount_at,
                int8multirange(int8range(1, k.read + 1)) + k.read_set as had_read
            from ask a join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = a.id
        ), asked as (
            select h.*, (h.had_read - h.make_unread) + h.make_read * int8multirange(int8range(1, h.head + 1)) as wants_read
            from held h
        ), bounded as materialized (
            select w.*, w.wants_read <> w.had_read
                and (select count(*) from unnest(w.wants_read)) > greatest(\(Cursor.mostRanges), (select count(*) from unnest(w.had_read)))
                as too_scattered
            from asked w
        ), marked as (
            select b.*, case when b.too_scattered then b.had_read else b.wants_read end as has_read from bounded b
        ), reached as materialized (
            select m.*, case when m.has_read @> 1::int8 then (select upper(r) - 1 from unnest(m.has_read) r limit 1) else 0 end as new_read
            from marked m
        ), placed as materialized (
            select r.*,
                r.has_read - int8multirange(int8range(1, r.new_read + 1)) as new_read_set,
                greatest(r.seen, least(r.to_seen, r.head), r.new_read) as new_seen,
                greatest(r.delivered, least(r.to_delivered, r.head), r.seen, least(r.to_seen, r.head), r.new_read) as new_delivered
            from reached r
        ), weighed as materialized (
            select p.*,
                p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen
                    or coalesce(p.recount_at <= now(), false) as anew,
                p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen
                    or p.new_delivered <> p.delivered as changed
            from placed p
        ), counted as materialized (
            select w.*, case when w.anew then 0 else w.unread end + t.unread as new_unread,
                case when w.anew then 0 else w.unseen end + t.unseen as new_unseen,
                case when w.anew then 0 else w.urgent end + t.urgent as new_urgent,
                least(case when w.anew then null else w.recount_at end, t.next_expiry) as new_recount_at
            from weighed w
            cross join lateral (
                select w.id, w.user_id, w.head, w.has_read, w.new_seen as seen,
                    greatest(case when w.anew then w.new_read else w.counted end, w.head - \(countedEntries)) as counted_from
            ) p
            cross join lateral (\(tally)) t
        ), kept as (
            update hub.cursor k set delivered = n.new_delivered, seen = n.new_seen, read = n.new_read, read_set = n.new_read_set,
                version = n.version + 1, updated_at = now(), counted = n.head, unread = n.new_unread, unseen = n.new_unseen,
                urgent = n.new_urgent, recount_at = n.new_recount_at
            from counted n
            where n.changed and k.user_id = n.user_id collate "C" and k.channel_id = n.id
        ), noticed as (
            insert into hub.receipt (channel_id, seq, user_id, session, delivered_at, read_session, read_at)
            select n.id, e.seq, n.user_id, coalesce(n.delivered_session, n.read_session), now(),
                case when n.has_read @> e.seq then n.read_session end, case when n.has_read @> e.seq then now() end
            from counted n
            cross join lateral (
                select int8multirange(int8range(n.delivered + 1, n.new_delivered + 1)) + (n.has_read - n.had_read) as entries
            ) passed
            join hub.entry e on e.channel_id = n.id and e.receipt_required
                and e.seq >= lower(passed.entries) and e.seq < upper(passed.entries) and passed.entries @> e.seq
                and e.sender is distinct from n.user_id collate "C"
            where n.changed
            order by 1, 2, 3
            on conflict (channel_id, seq, user_id) do update set read_session = excluded.read_session, read_at = excluded.read_at
            where hub.receipt.read_at is null and excluded.read_at is not null
        )
        select place::int4, channel, head, new_delivered, new_seen, new_read, new_read_set, version + changed::int4,
            least(new_unread, \(countedEntries)), least(new_unseen, \(countedEntries)), least(new_urgent, \(countedEntries)),
            case when kind = 'conversation' then array(select m.user_id from hub.member m where m.channel_id = id order by 1) end,
            null::int8[], null::int8[], new_recount_at, changed, too_scattered,
            new_delivered > delivered or new_read > read
        from counted
        """
}
