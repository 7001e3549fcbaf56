-- The tables of the platform whose changes the rules read, in the form that its services have them today. Our own statements, for the test and for
-- trying the rules out; the platform makes its tables itself.
create schema dev;

create table dev.notification (
    id uuid primary key default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    type text not null,
    element_id uuid not null,
    -- STAFF or STUDENT; null: both.
    user_category text,
    user_id text not null,
    -- A JSON list of texts.
    parameters text,
    seen boolean not null default false
);
