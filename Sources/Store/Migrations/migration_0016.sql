-- works with: 12
-- When the sources of changes were heard, by all hubs of a consumer group.

create table hub.source (
    consumer_group text collate "C" not null check (octet_length(consumer_group) <= 255),
    name           text collate "C" not null check (octet_length(name) <= 255),
    topic          text not null,
    partition      integer not null,
    is_heartbeat   boolean not null,
    heard_at       timestamptz not null,
    waited_at      timestamptz,
    silent_since   timestamptz,
    primary key (consumer_group, name)
) with (fillfactor = 50);
comment on table  hub.source is 'Sources of changes (connectors, by topic.prefix), as the hubs of a consumer group heard them. Written when source.silent-after is set. A source that was not heard for 30 days is removed.';
comment on column hub.source.topic is 'Where its heartbeats come; without heartbeats, where it was heard last. The hub that has this partition judges whether the source is silent.';
comment on column hub.source.heard_at is 'By the clock of this database.';
comment on column hub.source.waited_at is 'When a hub last said that records of the source may wait to be read; null: never.';
comment on column hub.source.silent_since is 'Since it counts as silent; null: it does not.';
