// Where users stand in their channels.
extension Statement {
    /// $1 index of the order, $2 user, $3 channel, $4 entitled without being a member; $5 index, $6 user of those who want a list of
    /// the channels they are a member of, $7 how many at most, $8 conversations only, $9 those behind this one.
    ///
    /// Broadcasts first, then conversations by their newest entry, which is looked up only where the order matters. `cut` says that
    /// there are more.
    static let statesSQL = """
        with ask as (
            select a."order", a.place, a.user_id, a.channel, c.id, c.last_seq as head, c.kind, null::int8 as rank, false as cut
            from unnest($1::int4[], $2::text[], $3::text[], $4::bool[]) with ordinality a ("order", user_id, channel, entitled, place)
            left join \(namedChannel) c on true
            left join hub.member m on not a.entitled and m.channel_id = c.id and m.user_id = a.user_id collate "C"
            where a.entitled or m.user_id is not null
            union all
            select s."order", null, s.user_id, l.name, l.id, l.last_seq, l.kind, l.rank, l.cut
            from unnest($5::int4[], $6::text[], $7::int4[], $8::bool[], $9::text[]) s ("order", user_id, most, talks, before)
            left join lateral (
                select c.id, \(active) as active
                from hub.channel c join hub.member m on m.channel_id = c.id and m.user_id = s.user_id collate "C"
                where c.name = s.before collate "C" limit 1
            ) b on true
            cross join lateral (
                select c.*, row_number() over (order by t.active desc nulls first, c.id desc) as rank, count(*) over () > s.most as cut
                -- `offset 0` keeps each a lookup, as `limit 1` does.
                from (
                    select m.channel_id, s.talks or count(*) over () > s.most as sorted
                    from hub.member m where m.user_id = s.user_id collate "C" offset 0
                ) m
                cross join lateral (select c.* from hub.channel c where c.id = m.channel_id limit 1) c
                cross join lateral (select case when m.sorted and c.kind = 'conversation' then \(active) end as active) t
                where not s.talks or c.kind = 'conversation' and (s.before is null or (t.active, c.id) < (b.active, b.id))
                order by rank
                limit s.most
            ) l
        )
        \(standing)
        """

    /// When something happened last in channel `c`.
    private static let active = """
        coalesce((select e.created_at from hub.entry e where e.channel_id = c.id and e.seq = c.last_seq), c.created_at)
        """
}
