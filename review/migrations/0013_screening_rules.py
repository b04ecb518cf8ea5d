"""Rules behind the tables: only what was submitted is looked at, and what was seen stays, but for its words."""

from django.db import migrations

from gateway.triggers import append_only_or_erased

GUARDS = """
create function guard_screening() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if not exists (select from review_revision where output_id = new.output_id) then
            raise exception 'only what was submitted is screened' using errcode = 'check_violation';
        end if;
    elsif old.done_at is not null then
        raise exception 'a screening that is done stays as it is' using errcode = 'check_violation';
    end if;
    return coalesce(new, old);
end $$;
create trigger guard_screening before insert or update or delete on review_screening
    for each row execute function guard_screening();
create trigger guard_screening before insert on review_fingerprint
    for each row execute function guard_screening();
"""

UNGUARD = """
drop trigger guard_screening on review_screening;
drop trigger guard_screening on review_fingerprint;
drop function guard_screening();
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0012_screening")]
    operations = [append_only_or_erased("review_signal", "evidence"), migrations.RunSQL(GUARDS, UNGUARD)]
