-- works with: 12
-- Each entry of an event knows the record of Kafka that it came from.

alter table hub.entry add column record text collate "C";
comment on column hub.entry.record is
    'The Kafka record that it was stored from, as topic/partition/offset. Null: a message of a user, an entry that tells of a retraction, or an entry from before migration 17 or of a hub that does not know it.';
