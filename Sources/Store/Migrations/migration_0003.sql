-- The conversations of a user are listed by an index, most recently active first. Their number no longer matters.

alter table hub.member add column active_at timestamptz not null default 'infinity';
comment on column hub.member.active_at is 'Of a conversation: the time of its newest entry, or when it was made. infinity: listed first, as broadcasts are.';

update hub.member m set active_at = coalesce(
    (select e.created_at from hub.entry e where e.channel_id = c.id and e.seq = c.last_seq), c.created_at)
from hub.channel c where c.id = m.channel_id and c.kind = 'conversation';

create index member_active on hub.member (user_id, active_at, channel_id);
drop index hub.member_user;
