-- An entry with a collapse key replaces those before it: they do not count any more.

create index entry_collapse on hub.entry (channel_id, collapse_key) where collapse_key is not null and retracted_at is null;
comment on index hub.entry_collapse is 'The entry that a new one with the same key replaces.';
comment on column hub.entry.retracted_at is 'Its cause is gone, its author took it back, or it only tells of a change: it neither counts nor is shown. Or an entry with the same collapse_key replaced it: it does not count.';

alter table hub.channel add column recount_from timestamptz;
comment on column hub.channel.recount_from is
    'Counters that a row of hub.cursor got up to this time are to be counted again, because an entry was replaced since; null: all are right.';
