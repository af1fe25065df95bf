-- Times are milliseconds since 1970 (UTC), lengths of time are nanoseconds.

-- A server that works, or worked, on this database.
create table cw_node (
    id integer primary key autoincrement,
    name text not null,
    started_at integer not null,
    lease_until integer not null
) strict;

create table cw_queue (
    name text primary key,
    paused integer not null default 0
) strict, without rowid;

-- What each server has counted in a queue; the numbers of the queue are the sums.
create table cw_count (
    queue text not null,
    node integer not null,
    accepted integer not null,
    completed integer not null,
    failed integer not null,
    waiting integer not null,
    primary key (queue, node)
) strict, without rowid;

-- What other applications have put into a queue in their own transactions, until it is counted in cw_count.
create table cw_arrival (
    id integer primary key,
    queue text not null
) strict;
create index cw_arrival_queue on cw_arrival (queue);

create table cw_command (
    seq integer primary key,
    id text not null unique,
    target text not null,
    queue text,
    type text not null,
    payload blob not null,
    timeout_nanos integer not null,
    ttl_nanos integer not null,
    principal text,
    idempotency_key text,
    trace_parent text,
    priority integer not null,
    order_key text,
    exclusive_key text,
    reference text,
    requested_not_before integer,
    retry_max_attempts integer,
    retry_initial_nanos integer,
    retry_max_nanos integer,
    retry_jitter real,
    status text not null,
    reason text,
    message text,
    result blob,
    attempt integer not null,
    not_before integer,
    -- 0: no, 1: it may begin, 2: it may begin later
    waiting integer not null,
    expires_at integer not null,
    created_at integer not null,
    sent_at integer,
    started_at integer,
    ended_at integer,
    cancel_requested integer not null,
    last_sequence integer not null,
    sent_sequence integer not null,
    started_sequence integer not null,
    -- events up to this one are not kept any more
    gap_sequence integer not null default 0,
    -- the node and the tag under which the end is awaited
    origin integer not null,
    tag integer not null,
    owner integer
) strict;
create unique index cw_command_key on cw_command (coalesce(principal, ''), idempotency_key) where idempotency_key is not null;
create unique index cw_command_exclusive on cw_command (exclusive_key) where exclusive_key is not null and ended_at is null;
create index cw_command_created on cw_command (created_at);
create index cw_command_target on cw_command (target, created_at);
create index cw_command_type on cw_command (type, created_at);
create index cw_command_status on cw_command (status, created_at);
create index cw_command_ready on cw_command (queue, priority desc, seq) where waiting = 1;
create index cw_command_delayed on cw_command (queue, not_before) where waiting = 2;
create index cw_command_expiring on cw_command (expires_at) where waiting > 0;
create index cw_command_running on cw_command (queue) where queue is not null and sent_at is not null and ended_at is null;
create index cw_command_ordered on cw_command (queue, order_key, seq) where order_key is not null and ended_at is null;
create index cw_command_owner on cw_command (owner) where owner is not null and ended_at is null;
create index cw_command_ended on cw_command (ended_at) where ended_at is not null and idempotency_key is null;
create index cw_command_ended_keyed on cw_command (ended_at) where ended_at is not null and idempotency_key is not null;

-- What cannot be told from cw_command.
create table cw_event (
    command integer not null,
    sequence integer not null,
    type text not null,
    at integer not null,
    channel text,
    data blob,
    fraction real not null,
    message text not null,
    primary key (command, sequence)
) strict, without rowid;

-- Numbers that outlive the rows they come from.
create table cw_number (
    name text primary key,
    value integer not null
) strict, without rowid;
