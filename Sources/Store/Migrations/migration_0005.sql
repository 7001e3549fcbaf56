-- Memberships that ended, whoever ended them, so that the sessions of their users end what the right was for.

create table hub.withdrawal (
    transaction bigint not null default pg_current_xact_id()::text::bigint,
    id          bigint generated always as identity,
    channel_id  bigint not null,
    user_id     text collate "C" not null,
    noted_at    timestamptz not null default now(),
    primary key (transaction, id)
);
create index withdrawal_age on hub.withdrawal (noted_at);
comment on table  hub.withdrawal is 'Rows that hub.member had and has no more, of the last hour. Each hub reads them twice a second. Written by triggers only.';
comment on column hub.withdrawal.transaction is 'Ended the membership. A hub reads again from the oldest one that was open when it read last.';
comment on column hub.withdrawal.channel_id is 'No reference: a channel may be removed with its members.';

create function hub.note_withdrawal() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
    if tg_op = 'TRUNCATE' then
        insert into hub.withdrawal (channel_id, user_id) select channel_id, user_id from hub.member;
        return null;
    elsif tg_op = 'UPDATE' then
        insert into hub.withdrawal (channel_id, user_id) values (old.channel_id, old.user_id);
        return null;
    end if;
    insert into hub.withdrawal (channel_id, user_id) select channel_id, user_id from gone;
    -- Rows that another transaction is removing are left to it, so that the two never wait for each other.
    delete from hub.withdrawal w
    using (
        select transaction, id from hub.withdrawal where noted_at < now() - interval '1 hour'
        order by noted_at limit 1000 for update skip locked
    ) outdated
    where w.transaction = outdated.transaction and w.id = outdated.id;
    return null;
end
$$;
comment on function hub.note_withdrawal is 'Fills hub.withdrawal. Runs with the rights of the hub''s role, whoever changes hub.member.';

create trigger member_deleted after delete on hub.member referencing old table as gone
    for each statement execute function hub.note_withdrawal();
-- Called for a changed key only: the hub itself updates other columns often.
create trigger member_changed after update of channel_id, user_id on hub.member
    for each row when ((old.channel_id, old.user_id) is distinct from (new.channel_id, new.user_id)) execute function hub.note_withdrawal();
create trigger members_truncated before truncate on hub.member
    for each statement execute function hub.note_withdrawal();
