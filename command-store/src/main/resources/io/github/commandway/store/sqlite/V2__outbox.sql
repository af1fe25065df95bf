-- Events on their way out: one insert each, never updated. The relay deletes what was delivered; what it has to remember of failures
-- is in cw_outbox_key. The columns are those of the PostgreSQL table.
create table cw_outbox (
    seq           integer primary key autoincrement,
    id            text    not null,
    topic         text    not null,
    aggregatetype text    not null,
    aggregateid   text    not null,
    type          text    not null,
    payload       text    not null check (json_valid(payload)),
    headers       text    not null default '{}' check (json_valid(headers)),
    created_at    integer not null                 -- milliseconds since 1970
) strict;
create index cw_outbox_topic on cw_outbox (topic, seq);

-- Keys whose oldest entry could not be delivered so far. Nothing of such a key is delivered before not_before, or at all while it is parked.
create table cw_outbox_key (
    topic       text    not null,
    aggregateid text    not null,
    seq         integer not null,                  -- the entry that failed
    id          text    not null,                  -- its id
    attempts    integer not null,
    not_before  integer not null,                  -- milliseconds since 1970
    parked      integer not null,
    error       text    not null,
    failed_at   integer not null,
    primary key (topic, aggregateid)
) strict, without rowid;
create index cw_outbox_key_id on cw_outbox_key (id);
create index cw_outbox_key_seq on cw_outbox_key (seq);
create index cw_outbox_key_due on cw_outbox_key (not_before) where not parked;

-- Relays that are alive, and which of them looks after the outbox. One process has the file, so there is one part.
create table cw_outbox_relay (
    id          text    primary key,
    lease_until integer not null,                  -- milliseconds since 1970
    awake_until integer not null default 0         -- until then it looks without being told
) strict;
create table cw_outbox_partition (
    part  integer primary key,
    relay text
) strict;
insert into cw_outbox_partition (part) values (0);
