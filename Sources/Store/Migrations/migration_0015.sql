-- works with: 12
-- Operators switch features off, and what operators did is kept.

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
