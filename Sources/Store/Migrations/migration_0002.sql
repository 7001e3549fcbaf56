-- Unread entries are counted by their numbers; only those that may not count, or that count as urgent, are looked at.

create index entry_special on hub.entry (channel_id, seq) include (sender, priority, expires_at, retracted_at)
    where sender is not null or priority in ('high', 'critical') or expires_at is not null or retracted_at is not null;
comment on index hub.entry_special is 'Entries whose number alone does not tell whether they count as unread. The store''s statements repeat its condition.';
