"""What is written once can be erased, and nothing else, when its person departs; the log's details too, by its owner.

The application erases no detail by itself any more: it asks these functions, which look whether somebody departs and
write down that they did it.
"""

from django.db import migrations

from gateway.triggers import (
    ERASING,
    NOT_ERASING,
    append_only,
    append_only_or_erased,
    erasable,
    fixed,
    instead,
)

SAID = """
create or replace function guard_contribution_said() returns trigger language plpgsql as $$
begin
    if (old.decided_by_id is not null and new.decided_by_id is distinct from old.decided_by_id)
        or (old.heard_by_id is not null and new.heard_by_id is distinct from old.heard_by_id)
        or (old.paid_at is not null and (new.paid_at, new.paid_by_id) is distinct from (old.paid_at, old.paid_by_id))
        or (old.reference <> '' and new.reference <> old.reference)
    then
        raise exception 'what was said about a contribution is never rewritten' using errcode = 'check_violation';
    end if;
    if (old.reason <> '' and new.reason <> old.reason)
        or (old.dispute <> '' and new.dispute <> old.dispute)
        or (old.answer <> '' and new.answer <> old.answer)
    then
        perform must_be_erased('what was said about a contribution', to_jsonb(old), to_jsonb(new),
                               array['reason', 'dispute', 'answer']);
    end if;
    return new;
end $$;
"""

LOG = """
create table audit.erasure (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    cause uuid,
    details integer not null,
    until uuid
);
create trigger append_only before update or delete on audit.erasure for each row execute function audit.refuse();
create trigger no_truncate before truncate on audit.erasure for each statement execute function audit.refuse();
alter table audit.erasure enable always trigger append_only;
alter table audit.erasure enable always trigger no_truncate;

-- Whose departure this is: one that has begun, and has not ended.
create function audit.departing(departure uuid) returns uuid language plpgsql stable
    set search_path = audit, pg_catalog, pg_temp as $$
declare
    person uuid;
begin
    select user_id into person from public.gateway_departure
        where id = departure and state = 'asked' and begun_at is not null;
    if person is null then
        raise exception 'details are erased while their person departs' using errcode = 'check_violation';
    end if;
    return person;
end $$;

-- Of what they did: the next entries by number, and what came in by the same requests before it was known whose they
-- were. What they wrote about the works of others, as a reviewer, is not about them.
create function audit.erase_own(departure uuid, after uuid, at_most integer, out details integer, out last uuid)
    language plpgsql security definer set search_path = audit, pg_catalog, pg_temp as $$
declare
    person uuid := audit.departing(departure);
    batch uuid[];
    requests uuid[];
begin
    select array_agg(own.id order by own.id) filter (where own.action not like 'decision.%'),
           array_agg(own.request_id) filter (where own.request_id is not null),
           (array_agg(own.id order by own.id desc))[1]
      into batch, requests, last
      from (select entry.id, entry.request_id, entry.action from audit.entry
             where entry.actor_id = person and entry.id > after order by entry.id limit at_most) own;
    with gone as (
        delete from audit.detail where entry_id in (
            select unnest(batch)
            union select entry.id from audit.entry
                   where entry.request_id = any(requests) and entry.action = 'request.received'
        ) returning 1
    ) select count(*) into details from gone;
    if details > 0 then
        insert into audit.erasure (cause, details) values (departure, details);
    end if;
end $$;

-- Of what was done, by whomever, to these rows of theirs.
create function audit.erase_about(departure uuid, subjects uuid[]) returns integer
    language plpgsql security definer set search_path = audit, pg_catalog, pg_temp as $$
declare
    person uuid := audit.departing(departure);
    details integer;
begin
    with gone as (
        delete from audit.detail where entry_id in (
            select entry.id from audit.entry where entry.subject_id = any(subjects)
        ) returning 1
    ) select count(*) into details from gone;
    if details > 0 then
        insert into audit.erasure (cause, details) values (departure, details);
    end if;
    return details;
end $$;

-- Of requests by nobody in particular (visitors, guests, applicants, people before they are signed in) and of requests
-- for access: after some time, and never of the last seven days.
create function audit.forget(older timestamptz, at_most integer) returns integer
    language plpgsql security definer set search_path = audit, pg_catalog, pg_temp as $$
declare
    since uuid;
    batch uuid[];
    seen integer;
    details integer;
    last uuid;
begin
    if older > now() - interval '7 days' then
        raise exception 'what was a week ago is not forgotten yet' using errcode = 'check_violation';
    end if;
    perform pg_advisory_xact_lock(7005);
    select coalesce(max(until::text)::uuid, '00000000-0000-0000-0000-000000000000') into since
      from audit.erasure where cause is null;
    select count(*), (array_agg(old.id order by old.id desc))[1],
           array_agg(old.id) filter (where old.actor_id is null and old.action like any('{request.%,access_request.%}'))
      into seen, last, batch
      from (select entry.id, entry.actor_id, entry.action from audit.entry
             where entry.at < older and entry.id > since order by entry.id limit at_most) old;
    if seen = 0 then
        return 0;
    end if;
    with gone as (delete from audit.detail where entry_id = any(batch) returning 1)
        select count(*) into details from gone;
    insert into audit.erasure (details, until) values (details, last);
    return seen;
end $$;
"""
NO_LOG = """
drop function audit.forget(timestamptz, integer);
drop function audit.erase_about(uuid, uuid[]);
drop function audit.erase_own(uuid, uuid, integer);
drop function audit.departing(uuid);
drop table audit.erasure;
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0017_departures")]
    operations = [
        migrations.RunSQL(ERASING, NOT_ERASING),
        *instead(append_only("gateway_membershipchange"), append_only_or_erased("gateway_membershipchange", "reason")),
        *instead(append_only("gateway_ledgerentry"), append_only_or_erased("gateway_ledgerentry", "reason")),
        *instead(
            fixed(
                "gateway_brake",
                *("scope", "target", "label", "reason", "closes", "source", "ends_at", "pulled_by_id", "created_at"),
            ),
            fixed(
                "gateway_brake",
                *("scope", "target", "closes", "source", "ends_at", "pulled_by_id", "created_at"),
            ),
            erasable("gateway_brake", "label", "reason"),
        ),
        *instead(
            fixed("gateway_impersonation", "admin_id", "artist_id", "reason", "created_at", "ends_at"),
            fixed("gateway_impersonation", "admin_id", "artist_id", "created_at", "ends_at"),
            erasable("gateway_impersonation", "reason"),
        ),
        *instead(
            fixed(
                "gateway_contribution",
                *("id", "created_at", "user_id", "rate_id", "kind", "minutes", "cents", "currency", "title", "body"),
            ),
            fixed(
                "gateway_contribution",
                *("id", "created_at", "user_id", "rate_id", "kind", "minutes", "cents", "currency"),
            ),
            erasable("gateway_contribution", "title", "body"),
        ),
        migrations.RunSQL(SAID, migrations.RunSQL.noop),
        *instead(
            fixed(
                "gateway_guestpass",
                *("membership_id", "token_id", "label", "digest", "last_four", "generations", "credits", "slugs"),
                "per_address",
            ),
            fixed(
                "gateway_guestpass",
                *("membership_id", "token_id", "digest", "last_four", "generations", "credits", "slugs"),
                "per_address",
            ),
            erasable("gateway_guestpass", "label"),
        ),
        *instead(
            fixed(
                "gateway_sighting",
                *("kind", "scope", "target", "label", "owner_id", "score", "signals", "brake_id", "created_at"),
            ),
            fixed(
                "gateway_sighting",
                *("kind", "scope", "target", "owner_id", "score", "signals", "brake_id", "created_at"),
            ),
            erasable("gateway_sighting", "label"),
        ),
        migrations.RunSQL(LOG, NO_LOG),
    ]
