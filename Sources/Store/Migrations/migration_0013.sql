-- works with: 12
-- What each hub tells of itself, and questions to all of them.

alter table hub.node add column state jsonb not null default '{}';
comment on column hub.node.state is 'What the hub tells of itself: stage, lag, bus and more. Hubs of other versions ignore what they do not know.';
comment on column hub.node.sessions is 'Sessions of the hub.';

create table hub.question (
    id       bigint generated always as identity primary key,
    kind     text not null,
    subject  text not null,
    node     text collate "C",
    asked_at timestamptz not null default now(),
    until    timestamptz not null,
    answers  jsonb not null default '{}'
);
comment on table  hub.question is 'Questions of operators to the hubs, such as who has sessions of a user. Rows are removed a minute after their end.';
comment on column hub.question.node is 'The hub that is asked, as in hub.node; null: all.';
comment on column hub.question.until is 'Later answers are of no use.';
comment on column hub.question.answers is 'By the id of the hub.';

alter table hub.migration add column works_with integer;
update hub.migration set works_with = number;
comment on column hub.migration.works_with is 'A hub that knows the schema up to this number works on the tables that the migration leaves.';
