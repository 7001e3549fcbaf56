-- name: session
select set_config(name, value, false) from (values
    ('statement_timeout', '10000'), ('lock_timeout', '1500'), ('hub.node', ''),
    -- The statements after a lock must see what its last holder did.
    ('default_transaction_isolation', 'read committed'),
    -- Nothing but what is named in full.
    ('search_path', 'pg_catalog'),
    -- Every statement is a lookup by index for each element of its arrays. A plan made while a table was
    -- still small must not stay a sequential scan, and compiling a plan would cost more than running it.
    ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
    ('jit', 'off'),
    -- A hub that has vanished must not keep its locks.
    ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')
) settings (name, value)
-- name: session
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'
-- name: ensureChannels
insert into hub.channel (name, kind)
select distinct n.name, split_part(n.name, ':', 1)
from unnest($1::text[]) n (name)
left join hub.channel c on c.name = n.name collate "C"
where n.name not like 'conversation:%' and c.id is null
order by 1
on conflict (name) do nothing
-- name: storeEntries
with draft as materialized (
    select * from unnest(
        $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]
    ) with ordinality d (
        most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
        content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, ordinal
    )
), reached as materialized (
    select a.*, coalesce((
    select i.position from hub.intake_position i
    where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
    limit 1
), (
    select i.position from hub.ingest_position i where i.topic = a.topic collate "C" and i.partition = a.partition limit 1
)) as stored, (
    select i.owner from hub.intake_position i
    where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
    limit 1
) as owner
    from unnest($17::text[], $18::int4[], $19::int8[], $20::int8[], $21::text[], $22::bool[])
        with ordinality a (topic, partition, position, after, consumer_group, takes_over, ordinal)
), lack as materialized (
    select coalesce(bool_or(
            coalesce(r.stored, -1) < r.after or not r.takes_over and r.owner <> nullif(current_setting('hub.node', true), '')
        ), false) as is_behind
    from reached r
), target as (
    select d.*, c.id as channel_id, c.last_seq, c.kind as channel_kind, null::text[] as hides,
        c.id is not null and not lack.is_behind as allowed, coalesce(d.reply_to <= c.last_seq, true) as answers
    from lack cross join draft d
    left join hub.channel c on c.name = d.channel collate "C"
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
), numbered as (
    select k.*, k.fresh as is_new,
        k.last_seq + count(*) filter (where k.fresh) over (partition by k.channel_id order by k.ordinal) as next_seq
    from known k
), sequenced as materialized (
    select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over (
            partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
        )) as seq
    from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
), collapsing as materialized (
    select s.channel_id, s.seq, s.collapse_key, s.stamp,
        lead(s.seq) over same is not null as is_replaced, lag(s.seq) over same is not null as replaces
    from sequenced s where s.is_new and s.collapse_key is not null
    window same as (partition by s.channel_id, s.collapse_key collate "C" order by s.seq)
), stored as (
    insert into hub.entry (
        channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
        created_at, expires_at, receipt_required, trace, retracted_at
    )
    select s.channel_id, s.seq, s.source, s.source_id, s.kind, s.event_type, s.priority, s.form, s.sender,
        ('{' || s.content || '}')::json, s.group_key, s.collapse_key, s.stamp, s.expires_at, s.receipt_required, s.trace,
        case when g.is_replaced then s.stamp end
    from sequenced s left join collapsing g on g.channel_id = s.channel_id and g.seq = s.seq
    where s.is_new order by s.channel_id, s.seq
), replaced as (
    update hub.entry e set retracted_at = h.stamp
    from (
        select h.place, g.seq, g.stamp
        from collapsing g
        cross join lateral (
            select e.ctid as place from hub.entry e
            where e.channel_id = g.channel_id and e.collapse_key = g.collapse_key collate "C" and e.retracted_at is null
                and true
            limit 100
        ) h
        where not g.is_replaced
    ) h
    where e.ctid = h.place
    returning e.channel_id, h.seq
), replacing as (
    select g.channel_id, g.seq from collapsing g where g.replaces union all select r.channel_id, r.seq from replaced r
), counted as (
    update hub.channel c set last_seq = m.seq,
        -- A cursor that is moved meanwhile does not see this transaction yet: no statement takes longer.
        recount_from = case when c.id in (select r.channel_id from replaced r) then clock_timestamp() + interval '10 seconds'
            else c.recount_from end
    from (select channel_id, max(seq) as seq from sequenced where is_new group by channel_id) m
    where c.id = m.channel_id
), moved as (
    insert into hub.intake_position (consumer_group, topic, partition, position, updated_at, owner)
    select r.consumer_group, r.topic, r.partition, r.position, now(), nullif(current_setting('hub.node', true), '')
    from lack l cross join reached r where not l.is_behind
    order by r.consumer_group collate "C", r.topic collate "C", r.partition
    on conflict (consumer_group, topic, partition) do update
    set position = excluded.position, updated_at = excluded.updated_at, owner = excluded.owner
), listed as (
    update hub.member m set active_at = n.stamp, hidden_after = null
    from (
        select channel_id, max(stamp) as stamp from sequenced where is_new and channel_kind = 'conversation'
        group by channel_id order by channel_id
    ) n
    where m.channel_id = n.channel_id
), journalled as (
    insert into hub.journal (kind, channels, lasts)
    select 'entries', array_agg(n.channel_id), array_agg(n.last)
    from (select channel_id, max(seq) as last from sequenced where is_new group by channel_id) n
    where current_setting('hub.node', true) <> '' having count(*) > 0
)
select o.admitted, o.seq, o.stored_at, o.is_new, o.answers, o.members, false, null::text[], o.replaces from (
    select s.admitted, s.seq, coalesce(s.known_at, s.stamp) as stored_at, s.is_new, s.answers or not s.allowed as answers,
        case when s.admitted and s.channel_kind = 'conversation'
                and row_number() over (partition by s.channel_id, s.admitted, s.is_new order by s.ordinal desc) = 1
            then array(select m.user_id from hub.member m where m.channel_id = s.channel_id order by 1)
        end as members,
        -- Most batches have no collapse key, and do not look.
        case when s.is_new and s.collapse_key is not null
            then (s.channel_id, s.seq) in (select r.channel_id, r.seq from replacing r) else false end as replaces,
        1 as part, s.ordinal
    from sequenced s
    union all
    select null, r.stored, null, null, null, null, null, 2, r.ordinal from lack cross join reached r where lack.is_behind
) o
order by o.part, o.ordinal
-- name: lockRetractedChannels
with found as materialized (
    select c.id from unnest($1::text[]) a (channel) join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
    union
    select e.channel_id from unnest($2::text[], $3::text[], $4::int8[]) a (cause, rule, most)
    cross join lateral (select e.channel_id, e.seq, e.ctid as place from hub.entry e
where e.cause = a.cause collate "C" and (a.rule is null or e.rule = a.rule collate "C") and e.sender is null and e.kind in ('notification', 'system') and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
order by e.rule, e.channel_id, e.seq limit a.most) e
)
select c.id from (select f.id from found f order by f.id) f
cross join lateral (select c.id from hub.channel c where c.id = f.id limit 1 for no key update) c
-- name: retractEntries
with draft as materialized (
    select * from unnest(
        $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[], $23::text[], $24::text[], $25::int8[], $26::int8[], $27::timestamptz[], $28::int8[]
    ) with ordinality d (
        most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
        content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, cause, rule, commit_lsn, lsn, changed_at, place, ordinal
    )
),
reached as materialized (
    select a.*, coalesce((
    select i.position from hub.intake_position i
    where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
    limit 1
), (
    select i.position from hub.ingest_position i where i.topic = a.topic collate "C" and i.partition = a.partition limit 1
)) as stored, (
    select i.owner from hub.intake_position i
    where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
    limit 1
) as owner
    from unnest($17::text[], $18::int4[], $19::int8[], $20::int8[], $21::text[], $22::bool[])
        with ordinality a (topic, partition, position, after, consumer_group, takes_over, ordinal)
), lack as materialized (
    select coalesce(bool_or(
            coalesce(r.stored, -1) < r.after or not r.takes_over and r.owner <> nullif(current_setting('hub.node', true), '')
        ), false) as is_behind
    from reached r
), retraction as materialized (
    select a.*, c.id as channel_id, (w.origin is null or a.lsn is null or a.changed_at > w.changed_at
    or case when a.commit_lsn > 0 and w.commit_lsn > 0 then (a.commit_lsn, a.lsn) > (w.commit_lsn, w.lsn)
        else a.lsn > w.lsn end) as is_newer
    from unnest(
        $29::text[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[], $35::text[], $36::int8[], $37::int8[],
        $38::timestamptz[], $39::bool[], $40::int8[], $41::int8[]
    ) with ordinality a (
        cause, rule, channel, source, source_id, group_key, origin, commit_lsn, lsn, changed_at, is_noted, most, place, ordinal
    )
    left join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
    left join lateral (select w.* from hub.row_change w where w.origin = a.origin collate "C" limit 1) w on true
), found as materialized (
    select a.ordinal, a.origin, a.most, a.source_id is null as may_have_more, e.channel_id, e.seq, e.place
    from lack cross join retraction a
    cross join lateral (
        (select e.channel_id, e.seq, e.ctid as place from hub.entry e
where e.cause = a.cause collate "C" and (a.rule is null or e.rule = a.rule collate "C") and e.sender is null and e.kind in ('notification', 'system') and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
order by e.rule, e.channel_id, e.seq limit a.most) union all (select e.channel_id, e.seq, e.ctid as place from hub.entry e
where e.channel_id = a.channel_id and e.source = a.source collate "C" and e.source_id = a.source_id collate "C" and e.sender is null and e.kind in ('notification', 'system') and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
limit 1) union all (select e.channel_id, e.seq, e.ctid as place from hub.entry e
where e.channel_id = a.channel_id and e.group_key collate "C" = a.group_key collate "C" and e.sender is null and e.kind in ('notification', 'system') and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
order by e.seq limit a.most)
    ) e
    where not lack.is_behind and a.is_newer
), taken as materialized (
    select f.*, c.name, c.last_seq + row_number() over (partition by f.channel_id order by f.refers) as seq, clock.stamp
    from (
        select distinct on (f.channel_id, f.seq) f.channel_id, f.seq as refers, f.place, f.origin
        from found f order by f.channel_id, f.seq, f.ordinal
    ) f
    cross join lateral (select c.name, c.last_seq from hub.channel c where c.id = f.channel_id limit 1) c
    cross join (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
), slice as materialized (
    select exists (
        select from found f where f.may_have_more group by f.ordinal, f.most having count(*) >= f.most
    ) as has_more
), held as materialized (
    select lack.is_behind or slice.has_more as is_behind from lack cross join slice
), target as (
    select d.*, c.id as channel_id, c.last_seq + coalesce(t.count, 0) as last_seq,
        c.kind as channel_kind, null::text[] as hides, (w.origin is null or d.lsn is null or d.changed_at > w.changed_at
    or case when d.commit_lsn > 0 and w.commit_lsn > 0 then (d.commit_lsn, d.lsn) > (w.commit_lsn, w.lsn)
        else d.lsn > w.lsn end) as is_newer,
        c.id is not null and not held.is_behind and (w.origin is null or d.lsn is null or d.changed_at > w.changed_at
    or case when d.commit_lsn > 0 and w.commit_lsn > 0 then (d.commit_lsn, d.lsn) > (w.commit_lsn, w.lsn)
        else d.lsn > w.lsn end) as allowed,
        coalesce(d.reply_to <= c.last_seq, true) as answers
    from held cross join draft d
    left join hub.channel c on c.name = d.channel collate "C"
    left join (select t.channel_id, count(*) as count from taken t group by t.channel_id) t on t.channel_id = c.id
    left join lateral (select w.* from hub.row_change w where w.origin = d.cause collate "C" limit 1) w on true
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
), numbered as (
    select k.*, k.fresh as is_new,
        k.last_seq + count(*) filter (where k.fresh) over (partition by k.channel_id order by k.ordinal) as next_seq
    from known k
), sequenced as materialized (
    select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over (
            partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
        )) as seq
    from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
), collapsing as materialized (
    select s.channel_id, s.seq, s.collapse_key, s.stamp,
        lead(s.seq) over same is not null as is_replaced, lag(s.seq) over same is not null as replaces
    from sequenced s where s.is_new and s.collapse_key is not null
    window same as (partition by s.channel_id, s.collapse_key collate "C" order by s.seq)
), stored as (
    insert into hub.entry (
        channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
        created_at, expires_at, receipt_required, trace, retracted_at, cause, rule
    )
    select t.channel_id, t.seq, '', 'retraction:' || t.refers, 'retraction', 'retraction', 'normal', 'full', null,
        ('{"refers":' || t.refers || '}')::json, null, null, t.stamp, null, false, null, t.stamp, t.origin, null
    from taken t
    union all
    select s.channel_id, s.seq, s.source, s.source_id, s.kind, s.event_type, s.priority, s.form, s.sender,
        ('{' || s.content || '}')::json, s.group_key, s.collapse_key, s.stamp, s.expires_at, s.receipt_required, s.trace,
        case when g.is_replaced then s.stamp end, s.cause, s.rule
    from sequenced s left join collapsing g on g.channel_id = s.channel_id and g.seq = s.seq
    where s.is_new order by 1, 2
), retracted as (
    update hub.entry e set retracted_at = t.stamp, content = json '{"retracted":true}'
    from taken t where e.ctid = t.place
), replaced as (
    update hub.entry e set retracted_at = h.stamp
    from (
        select h.place, g.seq, g.stamp
        from collapsing g
        cross join lateral (
            select e.ctid as place from hub.entry e
            where e.channel_id = g.channel_id and e.collapse_key = g.collapse_key collate "C" and e.retracted_at is null
                and not exists (select from taken t where t.place = e.ctid)
            limit 100
        ) h
        where not g.is_replaced
    ) h
    where e.ctid = h.place
    returning e.channel_id, h.seq
), replacing as (
    select g.channel_id, g.seq from collapsing g where g.replaces union all select r.channel_id, r.seq from replaced r
), counted as (
    update hub.channel c set last_seq = m.seq,
        -- A cursor that is moved meanwhile does not see this transaction yet: no statement takes longer.
        recount_from = case
            when c.id in (select r.channel_id from replaced r union all select t.channel_id from taken t)
            then clock_timestamp() + interval '10 seconds' else c.recount_from end
    from (
        select channel_id, max(seq) as seq from (
            select channel_id, seq from taken union all select channel_id, seq from sequenced where is_new
        ) n group by channel_id
    ) m
    where c.id = m.channel_id
), moved as (
    insert into hub.intake_position (consumer_group, topic, partition, position, updated_at, owner)
    select r.consumer_group, r.topic, r.partition, r.position, now(), nullif(current_setting('hub.node', true), '')
    from held l cross join reached r where not l.is_behind
    order by r.consumer_group collate "C", r.topic collate "C", r.partition
    on conflict (consumer_group, topic, partition) do update
    set position = excluded.position, updated_at = excluded.updated_at, owner = excluded.owner
), noted as (
    insert into hub.row_change (origin, commit_lsn, lsn, changed_at)
    select distinct on (n.origin collate "C") n.origin, n.commit_lsn, n.lsn, n.changed_at
    from held cross join (
        select s.cause as origin, s.commit_lsn, s.lsn, s.changed_at, s.place from sequenced s
        where s.cause is not null and s.admitted
        union all
        select a.origin, a.commit_lsn, a.lsn, a.changed_at, a.place from retraction a
        where a.lsn is not null and a.is_newer and (a.is_noted or a.ordinal in (select f.ordinal from found f))
    ) n
    where not held.is_behind
    order by n.origin collate "C", n.place desc
    on conflict (origin) do update
    set commit_lsn = excluded.commit_lsn, lsn = excluded.lsn, changed_at = excluded.changed_at, noted_at = now()
), purged as (
    delete from hub.row_change w
    using (
        select w.ctid as place from hub.row_change w
        where w.noted_at < now() - interval '30 days' and w.origin <> all (array_remove($23::text[] || $35::text[], null))
        order by w.noted_at limit 100 for update skip locked
    ) o
    where w.ctid = o.place
), listed as (
    update hub.member m set active_at = n.stamp, hidden_after = null
    from (
        select channel_id, max(stamp) as stamp from sequenced where is_new and channel_kind = 'conversation'
        group by channel_id order by channel_id
    ) n
    where m.channel_id = n.channel_id
), journalled as (
    insert into hub.journal (kind, channels, lasts)
    select 'entries', array_agg(n.channel_id), array_agg(n.last)
    from (select channel_id, max(seq) as last from (select channel_id, seq from taken union all select channel_id, seq from sequenced where is_new) t group by channel_id) n
    where current_setting('hub.node', true) <> '' having count(*) > 0
), told as (
    select e.channel_id, e.seq, e.created_at, substr(e.source_id, 12)::int8 as refers
    from lack cross join retraction a
    cross join lateral (
        select e.* from hub.entry e
        where e.cause = a.origin collate "C" and e.kind = 'retraction' and e.created_at > now() - interval '10 minutes'
        order by e.created_at desc limit 100
    ) e
    where not lack.is_behind and a.ordinal not in (select f.ordinal from found f)
)
select o.part, o.admitted, o.seq, o.time, o.is_new, o.is_newer, o.members, o.replaces, o.number, o.name, o.has_more from (
    select 1 as part, s.admitted, case when s.admitted then s.seq else s.known_seq end as seq,
        coalesce(s.known_at, s.stamp) as time, s.is_new, s.is_newer,
        case when s.admitted and s.channel_kind = 'conversation'
                and row_number() over (partition by s.channel_id, s.admitted, s.is_new order by s.ordinal desc) = 1
            then array(select m.user_id from hub.member m where m.channel_id = s.channel_id order by 1)
        end as members,
        case when s.is_new and s.collapse_key is not null
            then (s.channel_id, s.seq) in (select r.channel_id, r.seq from replacing r) else false end as replaces,
        null::int8 as number, null as name, null::bool as has_more, s.ordinal as first, 0::int8 as second
    from sequenced s
    union all
    select 2, null, r.stored, null, null, null, null, null, r.ordinal, null, null, r.ordinal, 0
    from lack cross join reached r where lack.is_behind
    union all
    select 3, null, t.seq, t.stamp, true, null, null, null, t.refers, t.name, slice.has_more, t.channel_id, t.seq
    from taken t cross join slice
    union all
    select 3, null, t.seq, t.created_at, false, null, null, null, t.refers, c.name, slice.has_more, t.channel_id, t.seq
    from slice cross join told t
    cross join lateral (select c.name from hub.channel c where c.id = t.channel_id limit 1) c
) o
order by o.part, o.first, o.second
-- name: lockChannels
select c.id from hub.channel c where c.name = any ($1::text[]) order by c.id for no key update
-- name: storeMessages
with draft as materialized (
    select * from unnest(
        $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]
    ) with ordinality d (
        most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
        content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to, ordinal
    )
), target as (
    select d.*, c.id as channel_id, c.last_seq, c.kind as channel_kind, c.sole_sender, c.unanswered, m.hidden_from as hides,
        m.user_id is not null as allowed, coalesce(d.reply_to <= c.last_seq, true) as answers
    from draft d
    left join hub.channel c on c.name = d.channel collate "C"
    left join hub.member m on m.channel_id = c.id and m.user_id = d.sender collate "C"
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
), counting as materialized (
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
), sequenced as materialized (
    select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over (
            partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
        )) as seq
    from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
), stored as (
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
            from sequenced s where s.channel_id = m.channel_id and s.is_new and (s.hidden_from is null or m.user_id <> all (s.hidden_from))
        ) end,
        hidden_after = case when n.hides then (
            select case when max(s.seq) = n.newest then null else coalesce(max(s.seq), m.hidden_after, n.oldest - 1) end
            from sequenced s where s.channel_id = m.channel_id and s.is_new and (s.hidden_from is null or m.user_id <> all (s.hidden_from))
        ) end
    from (
        select channel_id, max(stamp) as stamp, min(seq) as oldest, max(seq) as newest, bool_or(hidden_from is not null) as hides
        from sequenced where is_new and channel_kind = 'conversation'
        group by channel_id order by channel_id
    ) n
    where m.channel_id = n.channel_id
), journalled as (
    insert into hub.journal (kind, channels, lasts)
    select 'entries', array_agg(n.channel_id), array_agg(n.last)
    from (select channel_id, max(seq) as last from sequenced where is_new group by channel_id) n
    where current_setting('hub.node', true) <> '' having count(*) > 0
)
select s.admitted and s.seq is not null, s.seq, coalesce(s.known_at, s.stamp), s.is_new, s.answers or not s.allowed,
    case when s.admitted and s.seq is not null
            and row_number() over (
                partition by s.channel_id, s.admitted and s.seq is not null, s.is_new, s.hidden_from order by s.ordinal desc
            ) = 1
        then array(select m.user_id from hub.member m where m.channel_id = s.channel_id and (s.hidden_from is null or m.user_id <> all (s.hidden_from)) order by 1)
    end,
    s.admitted and s.seq is null, s.hidden_from
from sequenced s
order by s.ordinal
-- name: changeEntry
with ask as materialized (
    select a.*, c.id as channel_id, c.last_seq + 1 as seq, date_trunc('milliseconds', clock_timestamp()) as stamp,
        m.user_id is not null as is_member, k.seq as known_seq, k.created_at as known_at,
        case when k.seq is not null then k.hidden_from when a.members is null then o.hidden_from else m.hidden_from end as hidden_from,
        o.seq as target, o.place, s.place as superseded,
        m.user_id is not null and k.seq is null and o.seq is not null as fresh
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::text[]) with ordinality
        a (channel, user_id, source, source_id, kind, content, message, members, ordinal)
    join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
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
    update hub.member m set active_at = case when (a.hidden_from is null or m.user_id <> all (a.hidden_from)) then a.stamp else m.active_at end,
        hidden_after = case when (a.hidden_from is null or m.user_id <> all (a.hidden_from)) then null else coalesce(m.hidden_after, a.seq - 1) end
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
), journalled as (
    insert into hub.journal (kind, channels, lasts)
    select 'entries', array_agg(n.channel_id), array_agg(n.last)
    from (select channel_id, max(seq) as last from sequenced where is_new group by channel_id) n
    where current_setting('hub.node', true) <> '' having count(*) > 0
)
select ordinal::int4, is_member, coalesce(known_seq, case when fresh then seq end), coalesce(known_at, stamp), fresh,
    array(select m.user_id from hub.member m where m.channel_id = a.channel_id and (a.hidden_from is null or m.user_id <> all (a.hidden_from)) order by 1), hidden_from
from ask a order by ordinal
-- name: makeConversations
insert into hub.conversation (first, second, context)
select n.first, n.second, n.context
from (
    select d.*, row_number() over (partition by d.first, d.second order by d.ordinal) as nth,
        row_number() over (partition by d.opener order by d.ordinal) as nth_of_opener
    from (
        select least(p.a collate "C", p.b collate "C") as first, greatest(p.a collate "C", p.b collate "C") as second,
            p.context collate "C" as context, min(p.ordinal) as ordinal, max(p.max_count) as max_count,
            (array_agg(p.a collate "C" order by p.ordinal))[1] as opener, min(p.max_of_user) as max_of_user
        from unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::int4[])
            with ordinality p (a, b, context, max_count, max_of_user, ordinal)
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
    from (select from hub.conversation v where v.first = n.first and v.second = n.second limit n.max_count) v
) h
cross join lateral (
    select count(*) as had
    from (select from hub.member m where m.user_id = n.opener limit n.max_of_user) m
) u
where h.had + n.nth <= n.max_count and u.had + n.nth_of_opener <= n.max_of_user
order by 1, 2, 3
on conflict (first, second, context) do nothing
returning first, second, context
-- name: makeConversationChannels
insert into hub.channel (name, kind, unanswered)
select distinct 'conversation:' || v.id, 'conversation', 0 from unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, ordinal)
join hub.conversation v
    on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
    and v.context = p.context collate "C"
left join hub.channel c on c.name = 'conversation:' || v.id
where c.id is null
order by 1
on conflict (name) do nothing
-- name: makeMembers
with made as (
insert into hub.member (channel_id, user_id, active_at, hidden_from)
select distinct c.id, u.user_id collate "C",
    case when u.user_id = p.b collate "C" and exists (
        select from hub.block k where k.user_id = p.b collate "C" and k.blocked = p.a collate "C"
    ) then '-infinity' else t.active end,
    (select array_agg(k.user_id) from hub.block k
     where k.blocked = u.user_id and k.user_id = case when u.user_id = v.first then v.second else v.first end)
from unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, ordinal)
join hub.conversation v
    on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
    and v.context = p.context collate "C"
join hub.channel c on c.name = 'conversation:' || v.id
cross join lateral (values (v.first), (v.second)) u (user_id)
cross join lateral (
    select coalesce(
        (select e.created_at from hub.entry e where e.channel_id = c.id and e.seq = c.last_seq), c.created_at) as active
) t
order by 1, 2
on conflict do nothing
returning channel_id
), journalled as (
    insert into hub.journal (kind, channels, users)
    select 'opened', array_agg(n.channel_id), array_agg(n.user_id)
    from (select c.id as channel_id, min(p.a collate "C") as user_id from unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, ordinal)
join hub.conversation v
    on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
    and v.context = p.context collate "C"
join hub.channel c on c.name = 'conversation:' || v.id
where c.id in (select m.channel_id from made m) group by c.id) n where current_setting('hub.node', true) <> '' having count(*) > 0
)
select (select c.name from hub.channel c where c.id = m.channel_id) from made m
-- name: conversationStates
with ask as (
    select p.ordinal::int4 as "order", p.ordinal, p.a as user_id, c.name as channel, c.id, c.last_seq as head, c.first_seq, c.recount_from, c.kind,
        null::int8 as rank, false as has_more
    from unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, ordinal)
join hub.conversation v
    on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
    and v.context = p.context collate "C"
    join hub.channel c on c.name = 'conversation:' || v.id
)
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
        select k.version is null or coalesce(k.recount_at <= now(), false) or (k.read < a.first_seq - 1 or coalesce(k.updated_at <= a.recount_from, false)) as recount
    ) f
) p
cross join lateral (select (b.ahead - x.unread - h.unread)::int4 as unread, (b.unseen - x.unseen - h.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry,
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
        select e.sender is distinct from p.user_id collate "C" and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()) as counts
    ) v
    where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)
) x
-- Hidden entries are messages of users: neither urgent nor expiring, and special, so that `x` has those that are not valid.
cross join lateral (
    select count(*) as unread, count(*) filter (where e.seq > p.seen) as unseen
    from hub.entry e
    where p.head > p.counted_from
        and e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and e.hidden_from is not null and p.user_id collate "C" = any (e.hidden_from) and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
) h) t
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
-- name: lockShared
select from unnest($1::text[], $2::text[]) a (user_id, other)
join hub.conversation v
    on v.first = least(a.user_id collate "C", a.other collate "C") and v.second = greatest(a.user_id collate "C", a.other collate "C")
join hub.channel c on c.name = 'conversation:' || v.id
order by c.id for no key update of c
-- name: changeBlocks
with ask as materialized (
    select a.user_id collate "C" as user_id, a.other collate "C" as other, a.most is not null as adds, a.ordinal,
        coalesce(k.other is null and h.had >= a.most, false) as is_refused
    from unnest($1::text[], $2::text[], $3::int8[]) with ordinality a (user_id, other, most, ordinal)
    left join lateral (
        select k.blocked as other from hub.block k
        where k.user_id = a.user_id collate "C" and k.blocked = a.other collate "C" limit 1
    ) k on true
    cross join lateral (
        select count(*) as had from (select from hub.block k where k.user_id = a.user_id collate "C" limit a.most) k
    ) h
), added as (
    insert into hub.block (user_id, blocked) select a.user_id, a.other from ask a where a.adds and not a.is_refused
    on conflict do nothing
), removed as (
    delete from hub.block k using ask a
    cross join lateral (
        select k.ctid from hub.block k where k.user_id = a.user_id and k.blocked = a.other limit 1
    ) held
    where not a.adds and k.ctid = held.ctid
), shared as materialized (
    select a.*, c.id, c.name from ask a join hub.conversation v
    on v.first = least(a.user_id collate "C", a.other collate "C") and v.second = greatest(a.user_id collate "C", a.other collate "C")
cross join lateral (select c.id, c.name from hub.channel c where c.name = 'conversation:' || v.id limit 1) c where not a.is_refused
), hidden as (
    update hub.member m set hidden_from = nullif(
        case when s.adds then array_append(array_remove(m.hidden_from, s.user_id), s.user_id)
            else array_remove(m.hidden_from, s.user_id) end, '{}')
    from shared s
    cross join lateral (
        select m.ctid from hub.member m where m.channel_id = s.id and m.user_id = s.other limit 1
    ) held
    where m.ctid = held.ctid
), journalled as (
    insert into hub.journal (kind, channels, users)
    select 'hiding', array_agg(n.channel_id), array_agg(n.user_id)
    from (select s.other as user_id, s.id as channel_id from shared s) n where current_setting('hub.node', true) <> '' having count(*) > 0
)
select a.is_refused, array(select s.name from shared s where s.ordinal = a.ordinal order by 1) from ask a order by a.ordinal
-- name: removeMembers
with ask as materialized (
    select a.user_id, a.ordinal, c.id
    from unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, ordinal)
    join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
    order by c.id, a.user_id collate "C"
)
delete from hub.member m using ask a
-- By the row's ctid, so that the planner can only start from `ask`.
cross join lateral (
    select m.ctid from hub.member m where m.channel_id = a.id and m.user_id = a.user_id collate "C" limit 1
) held
where m.ctid = held.ctid
returning a.ordinal::int4
-- name: ackCursors
with ask as materialized (
    select a.user_id, a.ordinal, c.id, c.first_seq, c.recount_from, c.last_seq as head, least(a.delivered, c.last_seq) as delivered
    from unnest($1::text[], $2::text[], $3::int8[]) with ordinality a (user_id, channel, delivered, ordinal)
    join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
    order by a.user_id collate "C", c.id
), moved as (
update hub.cursor k set delivered = a.delivered, version = k.version + 1, updated_at = now(), counted = a.head,
    unread = (k.unread + a.head - k.counted)::int4, unseen = (k.unseen + a.head - k.counted)::int4
from ask a
-- By the row's ctid, so that the planner can only start from `ask`.
cross join lateral (
    select k.ctid from hub.cursor k where k.user_id = a.user_id collate "C" and k.channel_id = a.id limit 1
) held
where k.ctid = held.ctid and k.delivered < a.delivered
    and (k.recount_at is null or k.recount_at > now()) and not (k.read < a.first_seq - 1 or coalesce(k.updated_at <= a.recount_from, false))
    and k.counted <= a.head
    and (k.counted = a.head or (
        -- No `seq` after `counted` is missing, and no entry there is special.
        (select e.seq from hub.entry e where e.channel_id = a.id and e.seq > k.counted order by e.seq limit 1) = k.counted + 1
        and (
            select e.seq from hub.entry e
            where e.channel_id = a.id and e.seq > k.counted and e.seq <= a.head and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null) order by e.seq limit 1
        ) is null
    ))
    and (
        select e.seq from hub.entry e
        where e.channel_id = a.id and e.receipt_required and e.seq > k.delivered and e.seq <= a.delivered order by e.seq limit 1
    ) is null
returning a.ordinal::int4, a.head, k.delivered, k.seen, k.read, k.read_set, k.version,
    k.unread, k.unseen, k.urgent, k.recount_at, k.user_id, k.channel_id
), journalled as (
    insert into hub.journal (kind, channels, users, lasts)
    select 'cursors', array_agg(n.channel_id), array_agg(n.user_id), array_agg(n.version)
    from (select m.user_id, m.channel_id, m.head + m.version as version from moved m) n where current_setting('hub.node', true) <> '' having count(*) > 0
)
select ordinal, head, delivered, seen, read, read_set, version, unread, unseen, urgent, recount_at from moved
-- name: ensureCursors
insert into hub.cursor (user_id, channel_id)
select a.user_id collate "C", c.id from unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, ordinal)
join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
left join hub.member m on c.kind = 'conversation' and m.channel_id = c.id and m.user_id = a.user_id collate "C"
left join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
where (c.kind <> 'conversation' or m.user_id is not null) and k.user_id is null
order by 1, 2
on conflict (user_id, channel_id) do nothing
-- name: lockCursors
select from unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, ordinal)
join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
left join hub.member m on c.kind = 'conversation' and m.channel_id = c.id and m.user_id = a.user_id collate "C"
join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
where (c.kind <> 'conversation' or m.user_id is not null)
order by k.user_id, k.channel_id
for update of k
-- name: moveCursors
with ask as materialized (
    select a.user_id, a.channel, a.ordinal, c.id, c.first_seq, c.recount_from, c.last_seq as head, c.kind, m.hidden_after, coalesce(a.delivered, 0) as to_delivered,
        coalesce(a.seen, 0) as to_seen, a.unread as make_unread, a.read as make_read, a.delivered_session, a.read_session
    from unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8multirange[], $6::int8multirange[], $7::text[], $8::text[])
        with ordinality a (user_id, channel, delivered, seen, unread, read, delivered_session, read_session, ordinal)
    join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
left join hub.member m on c.kind = 'conversation' and m.channel_id = c.id and m.user_id = a.user_id collate "C"
    where (c.kind <> 'conversation' or m.user_id is not null)
), held as (
    select a.*, k.delivered, k.seen, k.read, k.read_set, k.version, k.counted, k.unread, k.unseen, k.urgent, k.recount_at,
        k.updated_at, coalesce(k.recount_at <= now(), false) or (k.read < a.first_seq - 1 or coalesce(k.updated_at <= a.recount_from, false)) as has_lapsed,
        int8multirange(int8range(1, k.read + 1)) + k.read_set as had_read
    from ask a join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = a.id
), asked as (
    select h.*, (h.had_read - h.make_unread) + h.make_read * int8multirange(int8range(1, h.head + 1)) as wants_read
    from held h
), opened as (
    select w.*, case when w.wants_read @> 1::int8 then (select upper(r) from unnest(w.wants_read) r limit 1) else 1 end as first_unread,
        upper(w.wants_read) - 1 as last_read
    from asked w
), joined as (
    select o.*, case when q.entries = '{}' then o.wants_read else (
            select coalesce(range_agg(r), '{}') from unnest(o.wants_read + q.entries) r where r && o.wants_read or r @> 1::int8
        ) end as would_read
    from opened o
    cross join lateral (
        select coalesce(range_agg(int8range(e.seq, e.seq + 1)), '{}') - coalesce(
                (select range_agg(int8range(n.seq, n.seq + 1)) from hub.entry n
                 where n.channel_id = o.id and n.receipt_required and n.seq >= o.first_unread and n.seq < o.last_read), '{}'
            ) as entries
        from (
            select e.seq from hub.entry e
            where e.channel_id = o.id and e.seq >= o.first_unread and e.seq < o.last_read and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)
                and not (e.sender is distinct from o.user_id collate "C" and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()))
            union all
            select e.seq from hub.entry e
            where e.channel_id = o.id and e.seq >= o.first_unread and e.seq < o.last_read and e.hidden_from is not null
                and o.user_id collate "C" = any (e.hidden_from)
        ) e
    ) q
), bounded as materialized (
    select j.*, j.would_read <> j.had_read and (
            select count(*) from unnest(j.would_read) r where not r @> 1::int8
        ) > greatest(1000, (select count(*) from unnest(j.read_set))) as too_scattered
    from joined j
), marked as (
    select b.*, case when b.too_scattered then b.had_read else b.would_read end as has_read from bounded b
), reached as materialized (
    select m.*, case when m.has_read @> 1::int8 then (select upper(r) - 1 from unnest(m.has_read) r limit 1) else 0 end as new_read
    from marked m
), moved as materialized (
    select r.*,
        r.has_read - int8multirange(int8range(1, r.new_read + 1)) as new_read_set,
        greatest(r.seen, least(r.to_seen, r.head), r.new_read) as new_seen,
        greatest(r.delivered, least(r.to_delivered, r.head), r.seen, least(r.to_seen, r.head), r.new_read) as new_delivered
    from reached r
), compared as materialized (
    select p.*,
        p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen or p.has_lapsed as recount,
        p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen
            or p.new_delivered <> p.delivered as changed
    from moved p
), counted as materialized (
    select w.*, case when w.recount then 0 else w.unread end + t.unread as new_unread,
        case when w.recount then 0 else w.unseen end + t.unseen as new_unseen,
        case when w.recount then 0 else w.urgent end + t.urgent as new_urgent,
        least(case when w.recount then null else w.recount_at end, t.next_expiry) as new_recount_at,
        -- Of the state as it was, so that the version cannot fall when what lapsed is marked as read.
        w.version + case when w.recount then (
            select l.lapsed from (
                select w.id, w.user_id, w.head, w.had_read as has_read, w.seen, w.counted, w.updated_at,
                    case when w.has_lapsed then w.read else w.counted end as counted_from
            ) p
            cross join lateral (select (b.ahead - x.unread - h.unread)::int4 as unread, (b.unseen - x.unseen - h.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry,
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
        select e.sender is distinct from p.user_id collate "C" and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()) as counts
    ) v
    where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)
) x
-- Hidden entries are messages of users: neither urgent nor expiring, and special, so that `x` has those that are not valid.
cross join lateral (
    select count(*) as unread, count(*) filter (where e.seq > p.seen) as unseen
    from hub.entry e
    where p.head > p.counted_from
        and e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and e.hidden_from is not null and p.user_id collate "C" = any (e.hidden_from) and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
) h) l
        ) else t.lapsed end as known_version
    from compared w
    cross join lateral (
        select w.id, w.user_id, w.head, w.has_read, w.new_seen as seen, w.counted, w.updated_at,
            case when w.recount then w.new_read else w.counted end as counted_from
    ) p
    cross join lateral (select (b.ahead - x.unread - h.unread)::int4 as unread, (b.unseen - x.unseen - h.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry,
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
        select e.sender is distinct from p.user_id collate "C" and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()) as counts
    ) v
    where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)
) x
-- Hidden entries are messages of users: neither urgent nor expiring, and special, so that `x` has those that are not valid.
cross join lateral (
    select count(*) as unread, count(*) filter (where e.seq > p.seen) as unseen
    from hub.entry e
    where p.head > p.counted_from
        and e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and e.hidden_from is not null and p.user_id collate "C" = any (e.hidden_from) and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
) h) t
), stored as (
    update hub.cursor k set delivered = n.new_delivered, seen = n.new_seen, read = n.new_read, read_set = n.new_read_set,
        version = n.known_version + 1, updated_at = now(), counted = n.head, unread = n.new_unread, unseen = n.new_unseen,
        urgent = n.new_urgent, recount_at = n.new_recount_at
    from counted n
    where n.changed and k.user_id = n.user_id collate "C" and k.channel_id = n.id
), receipts as (
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
), journalled as (
    insert into hub.journal (kind, channels, users, lasts)
    select 'cursors', array_agg(n.channel_id), array_agg(n.user_id), array_agg(n.version)
    from (select c.user_id, c.id as channel_id, c.head + c.known_version + 1 as version from counted c where c.changed) n where current_setting('hub.node', true) <> '' having count(*) > 0
)
select ordinal::int4, channel, head, new_delivered, new_seen, new_read, new_read_set, known_version + changed::int4,
    new_unread, new_unseen, new_urgent,
    case when kind = 'conversation' then array(select m.user_id from hub.member m where m.channel_id = id order by 1) end,
    null::int8[], null::int8[], new_recount_at, changed, too_scattered,
    least(new_delivered, hidden_after) > least(delivered, hidden_after) or least(new_read, hidden_after) > least(read, hidden_after),
    hidden_after
from counted
-- name: states
with ask as (
    select a."order", a.ordinal, a.user_id, a.channel, c.id, c.last_seq as head, c.first_seq, c.recount_from, c.kind, null::int8 as rank,
        false as has_more
    from unnest($1::int4[], $2::text[], $3::text[], $4::bool[]) with ordinality a ("order", user_id, channel, entitled, ordinal)
    left join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
    left join hub.member m on not a.entitled and m.channel_id = c.id and m.user_id = a.user_id collate "C"
    where a.entitled or m.user_id is not null
    union all
    select s."order", null, s.user_id, l.name, l.id, l.last_seq, l.first_seq, l.recount_from, l.kind, l.rank, l.has_more
    from unnest($5::int4[], $6::text[], $7::int4[], $8::bool[], $9::text[])
        s ("order", user_id, max_count, conversations_only, before)
    left join lateral (
        select m.active_at, m.channel_id
        from hub.channel c join hub.member m on m.channel_id = c.id and m.user_id = s.user_id collate "C"
        where c.name = s.before collate "C" limit 1
    ) b on true
    cross join lateral (
        select n.*, row_number() over (order by n.active_at desc, n.id desc) as rank,
            count(*) over () > s.max_count as has_more
        -- One more than the list takes, in the order of the index.
        from (
            select c.*, m.active_at
            from hub.member m
            cross join lateral (select c.* from hub.channel c where c.id = m.channel_id limit 1) c
            where m.user_id = s.user_id collate "C" and m.active_at > '-infinity'
                and (m.active_at, m.channel_id) <= (coalesce(b.active_at, 'infinity'), coalesce(b.channel_id, 9223372036854775807))
                and (s.before is null or m.channel_id <> b.channel_id)
                and (not s.conversations_only or c.kind = 'conversation')
            order by m.active_at desc, m.channel_id desc
            limit s.max_count + 1
        ) n
        order by rank
        limit s.max_count
    ) l
)
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
        select k.version is null or coalesce(k.recount_at <= now(), false) or (k.read < a.first_seq - 1 or coalesce(k.updated_at <= a.recount_from, false)) as recount
    ) f
) p
cross join lateral (select (b.ahead - x.unread - h.unread)::int4 as unread, (b.unseen - x.unseen - h.unseen)::int4 as unseen, x.urgent::int4, x.next_expiry,
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
        select e.sender is distinct from p.user_id collate "C" and e.retracted_at is null and (e.expires_at is null or e.expires_at > now()) as counts
    ) v
    where e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and (e.sender is not null or e.priority in ('high', 'critical') or e.expires_at is not null or e.retracted_at is not null)
) x
-- Hidden entries are messages of users: neither urgent nor expiring, and special, so that `x` has those that are not valid.
cross join lateral (
    select count(*) as unread, count(*) filter (where e.seq > p.seen) as unseen
    from hub.entry e
    where p.head > p.counted_from
        and e.channel_id = p.id and e.seq > p.counted_from and e.seq <= p.head and not p.has_read @> e.seq
        and e.hidden_from is not null and p.user_id collate "C" = any (e.hidden_from) and e.retracted_at is null and (e.expires_at is null or e.expires_at > now())
) h) t
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
-- name: pages
select a.ordinal::int4, c.last_seq, e.*
from unnest($1::text[], $2::int8[], $3::int8[], $4::int4[]) with ordinality a (channel, after, before, max_count, ordinal)
join lateral (
    select c.id, c.name, c.kind, c.last_seq, c.first_seq, c.recount_from from hub.channel c where c.name = a.channel collate "C" limit 1
) c on true
left join lateral (
    select e.seq, e.created_at, e.source, e.source_id, e.kind, e.event_type, e.priority, e.form, e.sender, e.content, e.group_key,
e.collapse_key, e.expires_at, e.receipt_required, e.trace, e.hidden_from from (
        (select e.*, row_number() over w as nth, sum(octet_length(e.content::text)) over w - octet_length(e.content::text) as ahead
         from hub.entry e
         where e.channel_id = c.id and a.after is not null and e.seq > a.after
         window w as (order by e.seq rows unbounded preceding)
         order by e.seq limit a.max_count)
        union all
        (select e.*, row_number() over w, sum(octet_length(e.content::text)) over w - octet_length(e.content::text)
         from hub.entry e
         where e.channel_id = c.id and a.after is null and e.seq < coalesce(a.before, 9223372036854775807)
         window w as (order by e.seq desc rows unbounded preceding)
         order by e.seq desc limit a.max_count)
    ) e
    where e.nth <= 2 or e.ahead <= 1048576
) e on true
order by a.ordinal, e.seq
-- name: readPositions
select r.ordinal::int4, r.stored
from (
    select a.ordinal, coalesce((
    select i.position from hub.intake_position i
    where i.consumer_group = a.consumer_group collate "C" and i.topic = a.topic collate "C" and i.partition = a.partition
    limit 1
), (
    select i.position from hub.ingest_position i where i.topic = a.topic collate "C" and i.partition = a.partition limit 1
)) as stored
    from unnest($1::text[], $2::int4[], $3::text[]) with ordinality a (topic, partition, consumer_group, ordinal)
) r
where r.stored is not null
order by r.ordinal
-- name: withdrawals
with now as materialized (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as oldest),
start as materialized (
    select oldest, case when $3::bigint > oldest then 0 else $1::bigint end as transaction,
        case when $3::bigint > oldest then 0 else $2::bigint end as id
    from now
)
select s.oldest, w.transaction, w.id, c.name, w.user_id
from start s
left join lateral (
    select w.* from hub.withdrawal w where (w.transaction, w.id) > (s.transaction, s.id)
    order by w.transaction, w.id limit 1000
) w on true
left join lateral (
    select c.name from hub.channel c
    where c.id = w.channel_id and not exists (
        select from hub.member m where m.channel_id = w.channel_id and m.user_id = w.user_id
    )
    limit 1
) c on true
order by w.transaction, w.id
-- name: readJournal
with reading as materialized (
    select p.now, case when pg_snapshot_xmax(p.before) <= pg_snapshot_xmax(p.now) then p.before end as before
    from (select pg_current_snapshot() as now, nullif($1::text, '')::pg_snapshot as before) p
), found as (
    select j.* from reading r
    cross join lateral (
        select j.* from hub.journal j where j.transaction >= pg_snapshot_xmax(r.before)
        union all
        select j.* from pg_snapshot_xip(r.before) x (transaction)
        cross join lateral (select j.* from hub.journal j where j.transaction = x.transaction) j
        union all
        select j.* from hub.journal j
        where j.transaction >= case when r.before is null then '0'::xid8 end and j.noted_at > now() - interval '30 seconds'
    ) j
    where j.node <> $2::text collate "C"
), changed as (
    select f.kind, u.channel_id, max(u.last) as last, u.user_id
    from found f cross join lateral unnest(f.channels, f.lasts, f.users) u (channel_id, last, user_id)
    group by f.kind, u.channel_id, u.user_id
    limit 20001
)
select r.now::text, null, null, null::int8, null, null::text[] from reading r
union all
select null, n.kind, c.name, n.last, n.user_id, case
        when n.kind in ('entries', 'opened') and c.kind = 'conversation' then array(
            select m.user_id from hub.member m
            where m.channel_id = c.id and m.active_at > '-infinity' and m.hidden_after is null order by 1
        )
    end
from changed n
cross join lateral (select c.id, c.name, c.kind from hub.channel c where c.id = n.channel_id limit 1) c
-- name: beat
with seen as (
    insert into hub.node (id, name, version, started_at, seen_at, sessions, state)
    select $1::text, $2::text, $3::text, now(), now(), $4::int8, $5::text::jsonb where not $8::bool
    on conflict (id) do update set seen_at = excluded.seen_at, sessions = excluded.sessions, state = excluded.state
), answered as (
    update hub.question q set answers = q.answers || jsonb_build_object($1::text, a.answer::jsonb)
    from unnest($6::int8[], $7::text[]) a (question, answer)
    where q.id = a.question and q.until > now()
), ended as (
    delete from hub.question q where q.id > 0 and q.until < now() - interval '1 minute'
), removed as (
    delete from hub.journal j
    using (
        select o.place from (
            select j.ctid as place, j.noted_at from hub.journal j
            where exists (
                select from (select j.noted_at from hub.journal j order by j.transaction limit 1) o where o.noted_at < now() - interval '5 minutes'
            )
            order by j.transaction limit 2000 for update skip locked
        ) o
        where o.noted_at < now() - interval '5 minutes'
    ) o
    where j.ctid = o.place
), forgotten as (
    delete from hub.node n
    where n.id > '' and (
        n.id <> $1::text collate "C" and n.seen_at < now() - interval '1 hour' or n.id = $1::text collate "C" and $8::bool
    )
)
select o.others, o.room, q.id, q.kind, q.subject
from (
    select count(*) as others, coalesce(sum(
        coalesce((n.state ->> 'takes')::int8, 500)
    ) filter (where coalesce(n.state ->> 'stage', 'serving') = 'serving'), 0)::int8 as room
    from hub.node n where n.id > '' and n.id <> $1::text collate "C" and n.seen_at > now() - interval '10 seconds'
) o
left join lateral (
    select q.id, q.kind, q.subject from hub.question q
    where q.id > 0 and q.until > now() and coalesce(q.node = $1::text collate "C", true)
        and not q.answers ? $1::text and q.id <> all ($6::int8[])
    order by q.id limit 16
) q on not $8::bool
-- name: removeEntries
with looked as materialized (
    select c.id, e.created_at, e.is_old
    from (select c.id from hub.channel c where c.id > ($1::int8[])[1] order by c.id limit 200) c
    left join lateral (
        select e.created_at, coalesce(e.created_at < case when e.kind = 'notification' then ($2::timestamptz[])[1]
    when e.kind in ('message', 'change', 'retraction') then ($3::timestamptz[])[1] else ($4::timestamptz[])[1] end, false) as is_old from hub.entry e where e.channel_id = c.id order by e.seq limit 1
    ) e on true
), due as materialized (
    select l.id from looked l where l.is_old order by l.id limit 25
), reach as materialized (
    select d.id, r.upto, r.has_more
    from due d
    cross join lateral (
        select coalesce(min(e.seq) filter (where not e.is_old) - 1, max(e.seq)) as upto,
            count(*) filter (where e.is_old) = 40 as has_more
        from (
            select e.seq, coalesce(e.created_at < case when e.kind = 'notification' then ($2::timestamptz[])[1]
    when e.kind in ('message', 'change', 'retraction') then ($3::timestamptz[])[1] else ($4::timestamptz[])[1] end, false) as is_old from hub.entry e where e.channel_id = d.id order by e.seq limit 40
        ) e
    ) r
), removed as (
    delete from hub.entry e using reach r
    cross join lateral (
        select e.ctid from hub.entry e where e.channel_id = r.id and e.seq <= r.upto order by e.seq limit 40
    ) held
    where e.ctid = held.ctid
    returning e.seq
), moved as (
    update hub.channel c set first_seq = r.upto + 1 from reach r where c.id = r.id
)
select (select count(*) from removed)::int4,
    case when exists (select from reach r where r.has_more) then (select min(r.id) - 1 from reach r where r.has_more)
        when (select count(*) from due) = 25 then (select max(d.id) from due d)
        else (select max(l.id) from looked l) end,
    (select min(l.created_at) from looked l where not l.is_old)
-- name: readBlocks
select array(select k.blocked from hub.block k where k.user_id = a.user_id collate "C" order by 1)
from unnest($1::text[]) with ordinality a (user_id, ordinal)
order by a.ordinal
-- name: probe
insert into hub.intake_position (consumer_group, topic, partition, position, updated_at)
values ('hub:probe', 'hub:probe', 0, 0, clock_timestamp())
on conflict (consumer_group, topic, partition) do update set updated_at = excluded.updated_at
-- name: recallEntries
select k.ordinal, e.seq, e.created_at, e.hidden_from
from unnest($1::text[], $2::text[], $3::text[]) with ordinality k (channel, source, source_id, ordinal)
join hub.channel c on c.name = k.channel collate "C"
cross join lateral (
    select e.channel_id, e.seq, e.created_at, e.hidden_from from hub.entry e
    where e.channel_id = c.id and e.source = k.source collate "C" and e.source_id = k.source_id collate "C"
    limit 1
) e
order by e.channel_id, e.seq
-- name: claim
with holder as materialized (
    select l.pid from pg_locks l
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and (l.classid::int8 << 32) + l.objid::int8 = 4857210938
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
), mine as materialized (
    select case when exists (select from holder where pid = pg_backend_pid()) then true
        else pg_try_advisory_lock_shared(4857210938) end as is_held
)
select m.is_held and not exists (select from holder where pid <> pg_backend_pid()) from mine m

