import Messaging

/// Parts of SQL that the statements of several operations share.
enum Clause {
    /// Counters look no further back than this many entries behind the head: it bounds what one full count costs.
    static let countedEntries = 10_000

    /// An entry that may not count, or counts as urgent. The condition of the index entry_special.
    static let isSpecial =
        "(e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)"
}

extension Clause {
    /// The channel that `a.channel` names. Cut off at one row, so that it stays a lookup: planned while there are few channels,
    /// a join would begin with all of them.
    static let namedChannel = """
        lateral (
            select c.id, c.name, c.kind, c.last_seq from hub.channel c where c.name = a.channel collate "C" limit 1
        )
        """

    /// Where each user of `ask ("order", place, user_id, channel, id, head, kind, rank, cut)` stands; the columns of
    /// `ChannelState(_:_:channel:)`, then `cut`.
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
}
