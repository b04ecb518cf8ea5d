"""Rules behind the tables: what was drawn in test mode never reaches a reviewer."""

from django.db import migrations

FORWARDS = """
create function refuse_tests() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'review_submission' then
        if exists (select from generation_generation where id = new.generation_id and test) then
            raise exception 'a test clip can''t be submitted' using errcode = 'check_violation';
        end if;
    elsif exists (
        select from generation_output o join generation_generation g on g.id = o.generation_id and g.test
         where o.id = new.output_id
    ) then
        raise exception 'a test clip can''t be submitted' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger refuse_tests before insert on review_submission for each row execute function refuse_tests();
create trigger refuse_tests before insert on review_revision for each row execute function refuse_tests();
"""

BACKWARDS = """
drop trigger refuse_tests on review_submission;
drop trigger refuse_tests on review_revision;
drop function refuse_tests();
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0002_rules"), ("generation", "0007_tests")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
