-- works with: 12
-- The platform takes its entries back: by the row that caused them, by event, or by group.

alter table hub.entry
    add column cause text collate "C" check (octet_length(cause) <= 1024),
    add column rule  text collate "C" check (octet_length(rule) <= 1024);
comment on column hub.entry.cause is
    'The row of a database of the platform from which a rule made the entry; null: none. Of a retraction by the platform: the row or event that took the entry back.';
comment on column hub.entry.rule is 'The rule that made the entry from the row.';
comment on column hub.entry.retracted_at is 'Its cause is gone, its author or the platform took it back, or it only tells of a change: it neither counts nor is shown. Or an entry with the same collapse_key replaced it: it does not count.';

create index entry_cause on hub.entry (cause, rule, channel_id, seq) where cause is not null and retracted_at is null;
comment on index hub.entry_cause is 'What a change of the row may take back.';
create index entry_retraction on hub.entry (cause, created_at) where cause is not null and kind = 'retraction';
comment on index hub.entry_retraction is 'What was taken back before, to be announced again when it is not known whether it was.';
create index entry_group on hub.entry (channel_id, group_key collate "C", seq) where group_key is not null and retracted_at is null;
comment on index hub.entry_group is 'What the retraction of a group takes back.';

create table hub.row_change (
    origin     text collate "C" primary key check (octet_length(origin) <= 1024),
    commit_lsn bigint not null,
    lsn        bigint not null,
    changed_at timestamptz not null,
    noted_at   timestamptz not null default now()
);
create index row_change_age on hub.row_change (noted_at);
comment on table  hub.row_change is 'Of each row that caused or took back entries: the newest change that did. Changes that are sent again are known by it. Rows are kept for 30 days.';
comment on column hub.row_change.origin is 'The row, as in hub.entry.cause; or the event that retracted a group, which is carried out once.';
comment on column hub.row_change.commit_lsn is 'Position of the last commit in the log of that database; 0: unknown.';
comment on column hub.row_change.changed_at is 'By the clock of that database. Later with a smaller position: that database went back.';
comment on column hub.row_change.noted_at is 'By the clock of this database.';
