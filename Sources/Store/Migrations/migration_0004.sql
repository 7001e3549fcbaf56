-- The history of the database itself: which numbers of entries belong together, and whether the database went back.

create table hub.epoch (
    number   bigint generated always as identity primary key,
    epoch    text collate "C" not null unique check (epoch ~ '^[0-9a-f]{8}$'),
    follows  text collate "C" unique,
    held     text collate "C",
    reason   text not null,
    began_at timestamptz not null default now()
);
comment on table  hub.epoch is 'Histories of this database. After a restore, numbers of entries are given again: clients must not use their old positions.';
comment on column hub.epoch.number is 'The highest is the present history.';
comment on column hub.epoch.epoch is 'Stands beside every position that a client gets.';
comment on column hub.epoch.follows is 'The history that was present before; null for the first.';
comment on column hub.epoch.held is 'The history of the hub that found the database behind; null when an operator or a migration began this one.';
insert into hub.epoch (epoch, reason)
values (lpad(to_hex(1 + floor(random() * 4294967295)::bigint), 8, '0'), 'the database was made, or migrated from a version without epochs');

create table hub.witness (
    id      text collate "C" primary key,
    seen_at timestamptz not null
);
comment on table  hub.witness is 'One row per process of a hub. A hub that does not find its row knows that the database went back to a time before it.';
comment on column hub.witness.seen_at is 'When the process first connected. Rows are removed after two years.';
