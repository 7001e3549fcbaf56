-- Channels, their entries, how far each user has come, and where the entries came from.
--
-- Invariants the binary relies on:
--   * channel.last_seq and the entries up to it change in one transaction, under the channel row's lock: seq has no gaps.
--   * entry has at most one row per (channel_id, source, source_id).
--   * a cursor row is never ahead of its channel.
-- entry and cursor carry no foreign key to channel: it would cost a lookup per row on the two hottest paths,
-- and channels are never deleted.

create table hub.channel (
    id       bigint generated always as identity primary key,
    name     text collate "C" not null unique check (octet_length(name) <= 320),
    kind     text not null check (kind in ('inbox', 'broadcast', 'conversation')),
    last_seq bigint not null default 0 check (last_seq >= 0),
    created_at timestamptz not null default now()
) with (fillfactor = 80);
comment on table  hub.channel is 'An ordered sequence of entries: one inbox per user, broadcasts, conversations.';
comment on column hub.channel.name is 'inbox:<user>, broadcast:<name> or conversation:<uuid>.';
comment on column hub.channel.last_seq is 'seq of the newest entry; 0 before the first. Its row lock orders the writers of the channel.';

create table hub.entry (
    channel_id       bigint not null,
    seq              bigint not null check (seq > 0),
    source           text collate "C" not null check (octet_length(source) <= 1024),
    source_id        text collate "C" not null check (octet_length(source_id) <= 1024),
    kind             text not null check (kind in ('notification', 'message', 'system')),
    event_type       text not null,
    priority         text not null check (priority in ('low', 'normal', 'high', 'critical')),
    form             text not null check (form in ('full', 'hint')),
    sender           text collate "C",
    content          json not null check (position('\u0000' in content::text) = 0 or content::text !~ '(^|[^\\])(\\\\)*\\u0000'),
    group_key        text,
    collapse_key     text,
    created_at       timestamptz not null,
    expires_at       timestamptz,
    retracted_at     timestamptz,
    receipt_required boolean not null default false,
    trace            text,
    primary key (channel_id, seq),
    unique (channel_id, source, source_id)
);
create index entry_receipt_required on hub.entry (channel_id, seq) where receipt_required;
comment on table  hub.entry is 'Notifications and messages. A row is never changed, except by a retraction.';
comment on column hub.entry.seq is 'Position in the channel: starts at 1, no gaps.';
comment on column hub.entry.source is 'Who made it: user:<sender>, a CloudEvents source, or kafka:<topic>. With source_id the key of de-duplication.';
comment on column hub.entry.source_id is 'The id it has at its source; for messages the client''s send key.';
comment on column hub.entry.form is 'full: everything is here. hint: the client fetches the rest from its owner.';
comment on column hub.entry.sender is 'The user who wrote it; null for notifications. Never counts as unread for that user.';
comment on column hub.entry.content is 'What clients read: title, body, context, link, data, replyTo. json, not jsonb: kept byte for byte.';
comment on column hub.entry.group_key is 'Entries that clients show together.';
comment on column hub.entry.collapse_key is 'Of several entries with this key only the newest matters.';
comment on column hub.entry.expires_at is 'After this it neither counts nor is shown.';
comment on column hub.entry.retracted_at is 'Its cause is gone; it neither counts nor is shown.';
comment on column hub.entry.receipt_required is 'A formal notice: deliveries and readings are recorded in hub.receipt.';
comment on column hub.entry.trace is 'traceparent of the record it came from.';

create table hub.cursor (
    user_id    text collate "C" not null,
    channel_id bigint not null,
    delivered  bigint not null default 0,
    seen       bigint not null default 0,
    read       bigint not null default 0,
    read_set   int8multirange not null default '{}',
    version    bigint not null default 0,
    updated_at timestamptz not null default now(),
    counted    bigint not null default 0,
    unread     integer not null default 0,
    unseen     integer not null default 0,
    urgent     integer not null default 0,
    recount_at timestamptz,
    primary key (user_id, channel_id)
) with (fillfactor = 70);
comment on table  hub.cursor is 'How far one user has come in one channel. Moves forward only, except by an explicit mark-unread.';
comment on column hub.cursor.delivered is 'Everything up to here was acknowledged by one of the user''s clients.';
comment on column hub.cursor.seen is 'Everything up to here was on a screen.';
comment on column hub.cursor.read is 'Everything up to here is read.';
comment on column hub.cursor.read_set is 'Read out of order: ranges above read + 1.';
comment on column hub.cursor.version is 'Grows by one with every change of this row.';
comment on column hub.cursor.counted is 'unread, unseen and urgent are as of this seq; newer entries are added when the row is read.';
comment on column hub.cursor.unread is 'Entries up to counted that are not read, not the user''s own, not expired, not retracted.';
comment on column hub.cursor.unseen is 'Of the unread, those above seen.';
comment on column hub.cursor.urgent is 'Of the unread, those of priority high or critical.';
comment on column hub.cursor.recount_at is 'From then on the three counts are stale, because a counted entry has expired.';

create table hub.receipt (
    channel_id   bigint not null,
    seq          bigint not null,
    user_id      text collate "C" not null,
    session      text not null,
    delivered_at timestamptz not null,
    read_session text,
    read_at      timestamptz,
    primary key (channel_id, seq, user_id)
);
comment on table  hub.receipt is 'Who got and who read each formal notice (entry.receipt_required). Kept even when the entry is marked unread again.';
comment on column hub.receipt.session is 'The session that acknowledged the delivery.';
comment on column hub.receipt.read_session is 'The session that marked it read.';

create table hub.member (
    channel_id bigint not null references hub.channel,
    user_id    text collate "C" not null,
    joined_at  timestamptz not null default now(),
    primary key (channel_id, user_id)
);
create index member_user on hub.member (user_id, channel_id);
comment on table hub.member is 'Who belongs to a conversation, or may follow a broadcast beyond what their token says.';

create table hub.conversation (
    id         uuid primary key default gen_random_uuid(),
    first      text collate "C" not null,
    second     text collate "C" not null check (first < second),
    context    text collate "C" not null default '' check (octet_length(context) <= 1024),
    created_at timestamptz not null default now(),
    unique (first, second, context)
);
comment on table  hub.conversation is 'The one conversation of two people, or the one they have about a context. Its channel is conversation:<id>.';
comment on column hub.conversation.context is 'What it is about, for example a peer review; empty for the general one.';

create table hub.ingest_position (
    topic      text collate "C" not null,
    partition  integer not null,
    position   bigint not null,
    updated_at timestamptz not null,
    primary key (topic, partition)
);
comment on table  hub.ingest_position is 'Last Kafka record stored, for lag and audit. Never used to skip records: a topic made anew starts at 0 again.';
comment on column hub.ingest_position.position is 'Offset of the last record stored.';
