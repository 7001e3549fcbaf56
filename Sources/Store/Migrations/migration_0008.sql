-- A user who writes to somebody who never answered may do so only for a while.

alter table hub.channel add column sole_sender text collate "C", add column unanswered bigint;
comment on column hub.channel.sole_sender is 'Of an unanswered conversation: the only user who has written messages there; null before the first.';
comment on column hub.channel.unanswered is
    'Of an unanswered conversation: how many messages it has had. Null for other channels, and for conversations from before this migration.';
