"""The audit log: a schema of its own, append-only, partitioned by month.

The application inserts the body and nothing else. A trigger reads the other columns off the body, so that they can't
say something else; it sets `xid`, by which a sealer will later know the settled entries. `at` is set by its default,
because a trigger may not move a row to another partition; the trigger refuses any other value.
Grants are no part of this: roles belong to the cluster (see gateway/grants.py).
"""

from django.db import migrations

FORWARDS = """
create schema audit;

create table audit.entry (
    at timestamptz not null default clock_timestamp(),
    id uuid not null,
    xid xid8 not null,
    body bytea not null,
    action text not null,
    actor_id uuid,
    subject_id uuid,
    request_id uuid,
    primary key (id, at)
) partition by range (at);

create index entry_by_subject on audit.entry (subject_id, id) where subject_id is not null;
create index entry_by_actor on audit.entry (actor_id, id) where actor_id is not null;
create index entry_by_request on audit.entry (request_id) where request_id is not null;
create index entry_by_xid on audit.entry (xid, id);

create table audit.detail (
    entry_id uuid primary key,
    salt bytea not null,
    body bytea not null
);

create function audit.read_off_body() returns trigger language plpgsql as $$
declare
    body jsonb := convert_from(new.body, 'UTF8')::jsonb;
begin
    if new.at not between clock_timestamp() - interval '1 minute' and clock_timestamp() then
        raise exception 'an audit entry is written at its own time' using errcode = 'check_violation';
    end if;
    new.id := (body ->> 'id')::uuid;
    new.xid := pg_current_xact_id();
    new.action := body ->> 'action';
    new.actor_id := (body #>> '{actor,id}')::uuid;
    new.subject_id := (body #>> '{subject,id}')::uuid;
    new.request_id := (body ->> 'request')::uuid;
    return new;
end $$;

create function audit.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only: % refused', tg_op using errcode = 'check_violation';
end $$;

create trigger read_off_body before insert on audit.entry for each row execute function audit.read_off_body();
create trigger append_only before update or delete on audit.entry for each row execute function audit.refuse();
create trigger no_truncate before truncate on audit.entry for each statement execute function audit.refuse();
create trigger no_update before update on audit.detail for each row execute function audit.refuse();
alter table audit.entry enable always trigger read_off_body;
alter table audit.entry enable always trigger append_only;
alter table audit.entry enable always trigger no_truncate;
alter table audit.detail enable always trigger no_update;

-- A partition has its own copies of the row triggers, and none of the statement triggers.
create function audit.guard(partition regclass) returns void language plpgsql as $$
begin
    execute format('create trigger no_truncate before truncate on %s '
                   'for each statement execute function audit.refuse()', partition);
    execute format('alter table %s enable always trigger no_truncate', partition);
    execute format('alter table %s enable always trigger read_off_body', partition);
    execute format('alter table %s enable always trigger append_only', partition);
end $$;

-- This month's partition and the next three: called hourly, so that none is ever missing.
create function audit.ensure_partitions() returns void language plpgsql
    security definer set search_path = audit, pg_catalog, pg_temp as $$
declare
    month timestamptz;
    name text;
begin
    perform pg_advisory_xact_lock(7002);
    for i in 0..3 loop
        month := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => i)) at time zone 'UTC';
        name := 'entry_' || to_char(month at time zone 'UTC', 'YYYY_MM');
        if to_regclass('audit.' || name) is null then
            execute format('create table audit.%I partition of audit.entry for values from (%L) to (%L)',
                           name, month, ((month at time zone 'UTC') + interval '1 month') at time zone 'UTC');
            perform audit.guard(('audit.' || name)::regclass);
        end if;
    end loop;
end $$;

select audit.ensure_partitions();
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_rules")]
    operations = [migrations.RunSQL(FORWARDS, "drop schema audit cascade")]
