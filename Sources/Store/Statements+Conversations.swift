// The conversations of two people.
extension Statement {
    /// $1 one of the two, $2 the other, $3 context ('' = none), $4 how many the two may have. Returns the pairs made.
    ///
    /// Two hubs at once may exceed the bound by one each: it is there against thousands.
    static let makeConversationsSQL = """
        insert into hub.conversation (first, second, context)
        select n.first, n.second, n.context
        from (
            select d.*, row_number() over (partition by d.first, d.second order by d.place) as nth
            from (
                select least(p.a collate "C", p.b collate "C") as first, greatest(p.a collate "C", p.b collate "C") as second,
                    p.context collate "C" as context, min(p.place) as place, min(p.most) as most
                from unnest($1::text[], $2::text[], $3::text[], $4::int4[]) with ordinality p (a, b, context, most, place)
                group by 1, 2, 3
            ) d
            left join lateral (
                select v.id from hub.conversation v
                where v.first = d.first and v.second = d.second and v.context = d.context limit 1
            ) v on true
            where v.id is null
        ) n
        cross join lateral (
            select count(*) as had
            from (select from hub.conversation v where v.first = n.first and v.second = n.second limit n.most) v
        ) h
        where h.had + n.nth <= n.most
        order by 1, 2, 3
        on conflict (first, second, context) do nothing
        returning first, second, context
        """

    private static let pairs = """
        unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, place)
        join hub.conversation v
            on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
            and v.context = p.context collate "C"
        """

    static let makeConversationChannelsSQL = """
        insert into hub.channel (name, kind)
        select distinct 'conversation:' || v.id, 'conversation' from \(pairs)
        left join hub.channel c on c.name = 'conversation:' || v.id
        where c.id is null
        order by 1
        on conflict (name) do nothing
        """

    static let makeMembersSQL = """
        insert into hub.member (channel_id, user_id)
        select distinct c.id, u.user_id collate "C"
        from \(pairs)
        join hub.channel c on c.name = 'conversation:' || v.id
        cross join lateral (values (v.first), (v.second)) u (user_id)
        where v.xmin::text = pg_current_xact_id_if_assigned()::xid::text
        order by 1, 2
        on conflict do nothing
        """

    /// As `states`, of the conversations of $1 with $2 about $3.
    static let conversationStatesSQL = """
        with ask as (
            select p.place::int4 as "order", p.place, p.a as user_id, c.name as channel, c.id, c.last_seq as head, c.kind, null::int8 as rank, false as cut
            from \(pairs)
            join hub.channel c on c.name = 'conversation:' || v.id
        )
        \(standing)
        """
}
