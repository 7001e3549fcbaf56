import Messaging

/// Parts of SQL that the statements of several operations share.
enum Clause {
    /// Whether an entry may not count, or counts as urgent. The index entry_special has the same condition.
    static let isSpecial =
        "(e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)"

    /// Whether an entry has neither expired nor been retracted. An entry counts for a user when it is valid and not the user's own.
    static let isValid = "e.retracted_at is null and (e.expires_at is null or e.expires_at > now())"
}

extension Clause {
    /// How far the consumer group of the row `a (consumer_group, topic, partition)` has stored its partition. `limit 1` makes the planner look
    /// it up by its key.
    static let storedPosition = """
        coalesce((
            select i.position from hub.intake_position i
            where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
            limit 1
        ), (
            select i.position from hub.ingest_position i where i.topic = a.topic collate "C" and i.partition = a.partition limit 1
        ))
        """

    /// The hub that stored the position last; null: unknown.
    static let positionOwner = """
        (
            select i.owner from hub.intake_position i
            where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
            limit 1
        )
        """

    /// This hub; null: it is alone on the database.
    static let node = "nullif(current_setting('hub.node', true), '')"

    /// Whether the entry `s` is not hidden from a member.
    static func isShown(to member: String) -> String { "(s.hidden_from is null or \(member).user_id <> all (s.hidden_from))" }

    /// Whether entries were removed or replaced that the row `k` of `hub.cursor` may have counted as unread.
    static func hasLostUnread(_ channel: String) -> String {
        "(k.read < \(channel).first_seq - 1 or coalesce(k.updated_at <= \(channel).recount_from, false))"
    }

    /// The channel that `a.channel` names. `limit 1` makes the planner look it up by name. A join that was planned while there were few
    /// channels would read all of them.
    static let namedChannel = """
        lateral (
            select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
        )
        """

    /// The state of each row of `ask ("order", ordinal, user_id, channel, id, head, first_seq, recount_from, kind, rank, has_more)`: the columns of
    /// `ChannelState(_:_:channel:)`, then `has_more`, `first_seq`, who has blocked the user, the members who are not told of the conversation, and whether the user has
    /// blocked one of them.
    static let channelStates = """
        select p."order", p.channel, coalesce(p.head, 0), coalesce(p.delivered, 0), coalesce(p.seen, 0), coalesce(p.read, 0),
            coalesce(p.read_set, '{}'), coalesce(p.version, 0) + t.lapsed,
            case when p.recount then 0 else p.unread end + t.unread,
            case when p.recount then 0 else p.unseen end + t.unseen,
            case when p.recount then 0 else p.urgent end + t.urgent,
            o.users, o.delivered, o.read, least(case when p.recount then null else p.recount_at end, t.next_expiry), p.has_more,
            coalesce(p.first_seq, 1), o.hidden_from, o.silent, coalesce(o.blocks, false)
        from (
            select a.*, k.delivered, coalesce(k.seen, 0) as seen, k.read, k.read_set, k.version, k.unread, k.unseen, k.urgent, k.recount_at,
                coalesce(k.counted, 0) as counted, k.updated_at, f.recount,
                int8multirange(int8range(1, coalesce(k.read, 0) + 1)) + coalesce(k.read_set, '{}') as has_read,
                case when f.recount then coalesce(k.read, 0) else k.counted end as counted_from
            from ask a
            left join lateral (
                select k.* from hub.cursor k where k.user_id = a.user_id collate "C" and k.channel_id = a.id limit 1
            ) k on true
            cross join lateral (
                select k.version is null or coalesce(k.recount_at <= now(), false) or \(hasLostUnread("a")) as recount
            ) f
        ) p
        cross join lateral (\(tally)) t
        cross join lateral (
            -- Sorted before they are collected: three sorted aggregates would sort three times.
            select array_agg(m.user_id) as users, array_agg(m.delivered) as delivered, array_agg(m.read) as read,
                max(m.hidden_from) filter (where m.user_id = p.user_id collate "C") as hidden_from,
                array_agg(m.user_id) filter (where m.active_at = '-infinity') as silent,
                bool_or(p.user_id collate "C" = any (m.hidden_from)) filter (where m.user_id <> p.user_id collate "C") as blocks
            from (
                select m.user_id, m.active_at, m.hidden_from, least(coalesce(k.delivered, 0), m.hidden_after) as delivered,
                    least(coalesce(k.read, 0), m.hidden_after) as read
                from hub.member m
                left join lateral (
                    select k.* from hub.cursor k where k.user_id = m.user_id and k.channel_id = m.channel_id limit 1
                ) k on true
                where p.kind = 'conversation' and m.channel_id = p.id
                order by m.user_id
            ) m
        ) o
        order by p."order", p.ordinal, p.rank, p.id
        """

    /// Counts the entries of channel `p.id` above `p.counted_from` and up to `p.head` that count for `p.user_id`.
    ///
    /// `seq` has no gaps, so the counts are differences of numbers. Only special entries are read, through their own index. So the first
    /// count of a long broadcast does not read its entries.
    ///
    /// `lapsed` is how many of these entries have expired, were retracted or were removed since the row's version was stored at `p.counted` and
    /// `p.updated_at`. It is a part of the version that clients see: numbers that change by time alone have a greater version, too.
    static let tally = """
        select (b.ahead - x.unread - h.unread)::int4 as unread, (b.unseen - x.unseen - h.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry,
            greatest(b.start - p.counted_from, 0) + x.lapsed as lapsed
        from (
            select f.start, greatest(p.head - f.start, 0) - c.read as ahead, greatest(p.head - l.seen, 0) - c.unseen as unseen
            -- `seq` has a gap only at the start, where old entries were removed.
            from (
                select coalesce(
                    case when p.head > p.counted_from then (
                        select e.seq - 1 from hub.entry e where e.channel_id = p.id and e.seq > p.counted_from order by e.seq limit 1
                    ) end,
                    p.head, p.counted_from) as start
            ) f
            cross join lateral (select greatest(p.seen, f.start) as seen) l
            cross join lateral (
                select coalesce(sum(upper(r) - lower(r)), 0) as read,
                    coalesce(sum(upper(r) - greatest(lower(r), l.seen + 1)) filter (where upper(r) > l.seen + 1), 0) as unseen
                from unnest(p.has_read * int8multirange(int8range(f.start + 1, greatest(p.head, f.start) + 1))) r
                -- Ranges are slow, and most channels of most users have nothing that is read above what was counted.
                where p.head > p.counted_from and upper(p.has_read) - 1 > p.counted_from
            ) c
        ) b
        cross join lateral (
            select count(*) filter (where not v.counts) as unread, count(*) filter (where not v.counts and e.seq > p.seen) as unseen,
                count(*) filter (where v.counts and e.priority in ('high', 'critical')) as urgent,
                min(e.expires_at) filter (where v.counts) as next_expiry,
                count(*) filter (
                    where e.expires_at <= now() and (e.seq > p.counted or e.expires_at > p.updated_at)
                        or e.retracted_at is not null and (e.seq > p.counted or e.retracted_at > p.updated_at)
                ) as lapsed
            from hub.entry e
            cross join lateral (
                select e.sender is distinct from p.user_id collate "C" and \(isValid) as counts
            ) v
            where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
                and \(isSpecial)
        ) x
        -- Hidden entries are messages of users: neither urgent nor expiring, and special, so that `x` has those that are not valid.
        cross join lateral (
            select count(*) as unread, count(*) filter (where e.seq > p.seen) as unseen
            from hub.entry e
            where p.head > p.counted_from
                and e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
                and e.hidden_from is not null and p.user_id collate "C" = any (e.hidden_from) and \(isValid)
        ) h
        """
}
