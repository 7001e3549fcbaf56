-- Each consumer group has positions of its own: two groups that read the same topics into one database do not move each other's.

create table hub.intake_position (
    consumer_group text collate "C" not null,
    topic          text collate "C" not null,
    partition      integer not null,
    position       bigint not null,
    updated_at     timestamptz not null,
    owner          text collate "C",
    primary key (consumer_group, topic, partition)
);
comment on table  hub.intake_position is 'Last Kafka record stored by each consumer group. Never used to skip records: a topic made anew starts at 0 again.';
comment on column hub.intake_position.position is 'Offset of the last record stored.';
comment on column hub.intake_position.owner is 'The hub that stored it, as in hub.node. Another one stores nothing until the group has given it the partition.';

comment on table hub.ingest_position is 'Positions up to migration 11, of whatever group. Counts for a group that has no row in hub.intake_position.';
