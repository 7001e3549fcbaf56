-- Users can block users: what these write is hidden from them.

create table hub.block (
    user_id    text collate "C" not null,
    blocked    text collate "C" not null check (blocked <> user_id),
    blocked_at timestamptz not null default now(),
    primary key (user_id, blocked)
);
comment on table  hub.block is 'Whom a user has blocked. The conversations of the two repeat it in hub.member, so that a message needs no look-up.';
comment on column hub.block.blocked is 'The user whose messages are hidden from the other one. Does not learn it.';

alter table hub.member add column hidden_from text[] collate "C", add column hidden_after bigint;
comment on column hub.member.hidden_from is 'The other members who have blocked this one; null: nobody. Entries that the member writes are hidden from them.';
comment on column hub.member.hidden_after is
    'All entries of the conversation after this one are hidden from the member; null: the newest one is not. Others are not told that the member got further.';
comment on column hub.member.active_at is
    'Of a conversation: the time of its newest entry that is not hidden from the member, or when it was made. infinity: listed first, as broadcasts are. -infinity: not listed, because a user made it whom the member had blocked.';

alter table hub.entry add column hidden_from text[] collate "C";
comment on column hub.entry.hidden_from is 'Users who had blocked the sender when it was stored; null: nobody. They see a placeholder, and it does not count for them.';
create index entry_hidden on hub.entry (channel_id, seq) include (hidden_from, expires_at, retracted_at) where hidden_from is not null;
comment on index hub.entry_hidden is 'Entries that do not count for some users.';
