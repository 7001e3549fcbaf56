-- Old entries are removed from the start of their channels.

alter table hub.channel add column first_seq bigint not null default 1 check (first_seq >= 1);
comment on column hub.channel.first_seq is 'Entries before this were removed because of their age.';
