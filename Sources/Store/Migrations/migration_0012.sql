-- What each hub committed, so that the others read it.

create table hub.journal (
    transaction xid8 not null default pg_current_xact_id(),
    node        text collate "C" not null default current_setting('hub.node'),
    kind        text not null check (kind in ('entries', 'cursors', 'opened', 'hiding')),
    channels    bigint[] not null,
    lasts       bigint[],
    users       text[] collate "C",
    noted_at    timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 1);
create index journal_transaction on hub.journal (transaction);
comment on table  hub.journal is 'One row for each transaction of a hub that changed something that others show: which channels, up to which entry, whose cursors. Each hub reads what the others wrote. Rows are kept for a few minutes.';
comment on column hub.journal.node is 'The hub that wrote it, as in hub.node.';
comment on column hub.journal.lasts is 'Of entries: the newest entry of each channel.';
comment on column hub.journal.users is 'Of cursors: whose. Of opened: who opened it. Of hiding: from whom or from whom no longer others are hidden.';

create table hub.node (
    id         text collate "C" primary key,
    name       text not null,
    version    text not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null,
    sessions   bigint not null default 0
) with (fillfactor = 50);
comment on table  hub.node is 'The hubs on this database. One that has not been seen for ten seconds has ended or cannot reach the database.';
comment on column hub.node.id is 'Made by each process when it starts; the same as in hub.witness.';
