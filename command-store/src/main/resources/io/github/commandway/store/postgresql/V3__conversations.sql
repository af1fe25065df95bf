-- Sessions of users. Whoever writes a round or an event of a session updates its row first, so that they come one after the other.
create table cw_session (
    id             text   collate "C" primary key,
    user_id        text   collate "C" not null,
    scope_type     text   not null,
    scope_id       text,
    status         text   not null,                 -- ACTIVE, PAUSED, COMPLETED, FAILED, ABANDONED
    version        bigint not null,                 -- counts what the user changes
    round_sequence bigint not null,                 -- number of the last round at the top level
    event_sequence bigint not null,                 -- number of the last event
    created_at     bigint not null,                 -- milliseconds since 1970, here and below
    updated_at     bigint not null
) with (fillfactor = 70);
create index cw_session_user on cw_session (user_id, created_at, id);

create table cw_round (
    session_id     text   collate "C" not null,
    round_path     text   collate "C" not null,     -- 1, 2, 2.1
    position       text   collate "C" not null,     -- the path with nine digits for each number, so that it sorts
    role           text   not null,                 -- user, assistant, system, tool
    input          text,
    output         text,
    correlation_id text   collate "C",
    created_at     bigint not null,
    primary key (session_id, round_path)
);
create unique index cw_round_position on cw_round (session_id, position);
create unique index cw_round_correlation on cw_round (session_id, correlation_id) where correlation_id is not null;

-- What happened, in the order in which it was written; never updated.
create table cw_domain_event (
    seq                bigint generated always as identity primary key,
    event_id           text   collate "C" not null unique,
    event_type         text   not null,
    version            int    not null,
    aggregate_type     text   not null,
    aggregate_id       text   collate "C" not null,
    aggregate_sequence bigint not null,             -- within the aggregate, from 1, without gaps
    payload            text   not null,
    metadata           text   not null,
    correlation_id     text,
    causation_id       text,
    created_at         bigint not null,
    unique (aggregate_id, aggregate_sequence)
);
