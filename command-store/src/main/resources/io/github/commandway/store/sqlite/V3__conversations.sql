-- Sessions of users. Whoever writes a round or an event of a session updates its row first, so that they come one after the other.
create table cw_session (
    id             text    primary key,
    user_id        text    not null,
    scope_type     text    not null,
    scope_id       text,
    status         text    not null,                -- ACTIVE, PAUSED, COMPLETED, FAILED, ABANDONED
    version        integer not null,                -- counts what the user changes
    round_sequence integer not null,                -- number of the last round at the top level
    event_sequence integer not null,                -- number of the last event
    created_at     integer not null,                -- milliseconds since 1970, here and below
    updated_at     integer not null
) strict, without rowid;
create index cw_session_user on cw_session (user_id, created_at, id);

create table cw_round (
    session_id     text    not null,
    round_path     text    not null,                -- 1, 2, 2.1
    position       text    not null,                -- the path with nine digits for each number, so that it sorts
    role           text    not null,                -- user, assistant, system, tool
    input          text,
    output         text,
    correlation_id text,
    created_at     integer not null,
    primary key (session_id, round_path)
) strict;
create unique index cw_round_position on cw_round (session_id, position);
create unique index cw_round_correlation on cw_round (session_id, correlation_id) where correlation_id is not null;

-- What happened, in the order in which it was written; never updated.
create table cw_domain_event (
    seq                integer primary key autoincrement,
    event_id           text    not null unique,
    event_type         text    not null,
    version            integer not null,
    aggregate_type     text    not null,
    aggregate_id       text    not null,
    aggregate_sequence integer not null,            -- within the aggregate, from 1, without gaps
    payload            text    not null,
    metadata           text    not null,
    correlation_id     text,
    causation_id       text,
    created_at         integer not null,
    unique (aggregate_id, aggregate_sequence)
) strict;
