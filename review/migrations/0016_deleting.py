"""A work is deleted only when nothing of it is asked for, judged or public; what was deleted is not submitted.

Of two at the same moment one waits for the other: both lock the generation's row, and look when they have it.
"""

from django.db import migrations

FORWARDS = """
create or replace function generation_is_kept(generation uuid) returns boolean language sql stable as $$
    select exists (
        select from review_submission s where s.generation_id = generation and s.state <> 'withdrawn'
    ) or exists (
        select from generation_output o
        join review_revision r on r.output_id = o.id
        join review_submission s on s.id = r.submission_id and s.state <> 'withdrawn'
        where o.generation_id = generation
    )
$$;

create function guard_deleting() returns trigger language plpgsql as $$
begin
    if old.deleted_at is not null then
        raise exception 'what was deleted stays deleted' using errcode = 'check_violation';
    end if;
    if generation_is_kept(new.id) then
        raise exception 'a work is withdrawn before it is deleted' using errcode = 'check_violation';
    end if;
    delete from review_fingerprint where output_id in (
        select id from generation_output where generation_id = new.id
    );
    return new;
end $$;
create trigger guard_deleting before update of deleted_at on generation_generation
    for each row execute function guard_deleting();

create function refuse_deleted() returns trigger language plpgsql as $$
begin
    perform from generation_generation g
        join generation_output o on o.generation_id = g.id and o.id = new.output_id
        where g.deleted_at is null
        for share of g;
    if not found then
        raise exception 'a deleted work can''t be submitted' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger refuse_deleted before insert on review_revision for each row execute function refuse_deleted();
"""

BACKWARDS = """
drop trigger refuse_deleted on review_revision; drop function refuse_deleted();
drop trigger guard_deleting on generation_generation; drop function guard_deleting();
create or replace function generation_is_kept(generation uuid) returns boolean language sql stable as 'select false';
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0015_openings"), ("generation", "0016_deleting")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
