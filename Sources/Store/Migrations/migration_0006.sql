-- Messages can be changed and taken back, by entries that refer to them.

alter table hub.entry drop constraint entry_kind_check;
-- Not valid: existing rows obeyed the narrower rule, so they need no check.
alter table hub.entry add constraint entry_kind_check
    check (kind in ('notification', 'message', 'system', 'change', 'retraction')) not valid;
comment on table  hub.entry is 'Notifications, messages, and what changes messages. The number and time of a row never change.';
comment on column hub.entry.retracted_at is 'Its cause is gone, its author took it back, or it only tells of a change: it neither counts nor is shown.';
