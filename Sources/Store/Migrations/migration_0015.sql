-- works with: 12
-- One-time tickets, the ends of logins and rights, rights that rows of the platform's databases grant, the records that entries came from, when
-- the sources of changes were heard, what operators switch off, and what they did.

create table hub.ticket (
    digest     text collate "C" primary key check (octet_length(digest) <= 64),
    identity   text collate "C" not null check (octet_length(identity) <= 262144),
    expires_at timestamptz not null
);
create index ticket_expiry on hub.ticket (expires_at);
comment on table  hub.ticket is 'One-time tickets that were not used yet. Rows are removed when they are used, and soon after they expire.';
comment on column hub.ticket.digest is 'The SHA-256 of the ticket, in base64url.';
comment on column hub.ticket.identity is 'The user and the rights of the session that it opens, as JSON.';

create table hub.fence (
    id           bigint generated always as identity primary key,
    transaction  bigint not null default pg_current_xact_id()::text::bigint,
    key          text collate "C" not null unique check (octet_length(key) <= 1024),
    user_id      text collate "C" check (octet_length(user_id) <= 255),
    login        numeric(20),
    reason       text collate "C" not null check (reason in ('revoked', 'privileges')),
    issued_up_to timestamptz not null,
    expires_at   timestamptz not null,
    noted_at     timestamptz not null default now(),
    source       text collate "C" not null check (octet_length(source) <= 64),
    noted_by     text not null default session_user,
    why          text check (octet_length(why) <= 4096),
    check (user_id is not null or login is not null)
);
create index fence_transaction on hub.fence (transaction, id);
create index fence_age on hub.fence (noted_at);
comment on table  hub.fence is 'The ends of logins and rights: sessions of these users end, and their older tokens are refused. Each hub reads what is new twice a second. Rows are kept for 90 days after they have lost their effect, for audits.';
comment on column hub.fence.key is 'Recognizes a notice that comes again: issuer and jti of its token.';
comment on column hub.fence.user_id is 'Null: whoever has the login.';
comment on column hub.fence.login is 'A hash of the login''s name (sid); null: all logins of the user.';
comment on column hub.fence.issued_up_to is 'Tokens that were issued up to then are refused, by the clock of their issuer.';
comment on column hub.fence.expires_at is 'From then on it has no effect: it stays for 7 days, or for as long as a session may last.';
comment on column hub.fence.source is 'logout, security-event or operator.';
comment on column hub.fence.noted_by is 'The user of the database who wrote the row.';

create table hub.access_grant (
    cause        text collate "C" not null check (octet_length(cause) <= 1024),
    rule         text collate "C" not null check (octet_length(rule) <= 1024),
    user_id      text collate "C" check (octet_length(user_id) <= 255),
    channel      text collate "C",
    valid_from   timestamptz,
    valid_until  timestamptz,
    held_user    text collate "C",
    held_channel text collate "C",
    due_at       timestamptz,
    commit_lsn   bigint not null,
    lsn          bigint not null,
    changed_at   timestamptz not null,
    noted_at     timestamptz not null default now(),
    primary key (cause, rule)
);
create index access_grant_due on hub.access_grant (due_at) where due_at is not null;
create index access_grant_held on hub.access_grant (held_channel, held_user) where held_user is not null;
create index access_grant_ended on hub.access_grant (noted_at) where user_id is null and held_user is null;
comment on table  hub.access_grant is 'What rows of databases of the platform grant: that a user may follow a broadcast. Rows that grant nothing any more are kept for 30 days, so that older changes that are sent again have no effect.';
comment on column hub.access_grant.cause is 'The row, as in hub.entry.cause.';
comment on column hub.access_grant.user_id is 'Null: the row grants nothing any more.';
comment on column hub.access_grant.valid_from is 'Null: from the beginning.';
comment on column hub.access_grant.valid_until is 'The first moment without the right; null: without end.';
comment on column hub.access_grant.held_user is 'With held_channel: the membership that it keeps now; null: none.';
comment on column hub.access_grant.due_at is 'The next moment at which its membership begins or ends; null: there is none.';
comment on column hub.access_grant.commit_lsn is 'With lsn and changed_at: the newest change of the row, as in hub.row_change.';

alter table hub.member add column granted boolean;
comment on column hub.member.granted is 'True: it ends with the last grant that keeps it. Otherwise it stays, whatever rows grant.';

alter table hub.entry add column record text collate "C";
comment on column hub.entry.record is
    'The Kafka record that it was stored from, as topic/partition/offset. Null: a message of a user, an entry that tells of a retraction, or an entry from before migration 15 or of a hub that does not know it.';

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

create table hub.switch (
    feature       text collate "C" not null check (octet_length(feature) <= 64),
    scope         text collate "C" not null check (octet_length(scope) <= 320),
    mode          text not null check (mode in ('on', 'slow', 'store', 'off')),
    every_seconds integer check (every_seconds between 5 and 3600),
    until         timestamptz,
    set_at        timestamptz not null default now(),
    set_by        text not null,
    why           text not null,
    primary key (feature, scope),
    check ((mode = 'slow') = (every_seconds is not null))
);
comment on table  hub.switch is 'Features that an operator has switched off, or made slow, for a scope. Each hub reads all rows twice a second. At most 1000.';
comment on column hub.switch.feature is 'system-notifications, user-notifications, direct-messages, group-messages, signals, presence or realtime.';
comment on column hub.switch.scope is 'system, institution:<id>, category:<id>, user:<id>, or the name of another broadcast such as activity:<id>.';
comment on column hub.switch.mode is 'on: an exception from a switch with a wider scope. slow: entries are pushed once in every_seconds. store: entries are not pushed.';
comment on column hub.switch.until is 'From then on the row has no effect; null: until somebody removes it.';

create function hub.bound_switches() returns trigger language plpgsql as $$
begin
    if (select count(*) from hub.switch) > 1000 then
        raise exception 'hub.switch has 1000 rows, which is the most' using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create trigger switch_bound after insert on hub.switch for each statement execute function hub.bound_switches();

create table hub.audit (
    id      bigint generated always as identity primary key,
    at      timestamptz not null default now(),
    person  text not null,
    role    text not null default session_user,
    action  text not null,
    subject text not null,
    detail  jsonb not null default '{}',
    why     text not null
);
create index audit_age on hub.audit (at);
comment on table  hub.audit is 'What operators did. Rows are never changed, and the hub does not remove them.';
comment on column hub.audit.person is 'The user and the host of the command, as its operating system says.';
comment on column hub.audit.role is 'The user of the database.';
