/// The parts that the statements for messages and for events have in common.
extension Clause {
    /// The drafts, $1 to $16, as rows.
    static let drafts = """
        draft as materialized (
            select * from unnest(
                $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]
            ) with ordinality d (
                most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
                content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, ordinal
            )
        )
        """

    /// Which of the drafts in `target` are admitted, and which of these are stored already. Of several with one key the first is new.
    ///
    /// `lateral` and `limit 1` make the planner look up the whole key. A join that was planned while the table was empty would read the
    /// whole channel for each draft.
    static let knownDrafts = """
        judged as (
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
        )
        """

    /// The numbers of the drafts in `numbered`. One without a number, and the later ones with its key, is refused.
    static let sequencedDrafts = """
        sequenced as materialized (
            select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over (
                    partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
                )) as seq
            from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
        )
        """
}
