"""What guests make: whose pass, which guest; and no more than the pass lends, whatever asks at the same time."""

import django.db.models.deletion
from django.db import migrations, models

# Every generation with a pass waits here for the one before it, so that the count is of all there are.
WITHIN = """
create function within_guest_pass() returns trigger language plpgsql as $$
declare
    pass gateway_guestpass;
    used bigint;
    price bigint;
begin
    select * into pass from gateway_guestpass where id = new.guest_pass_id for no key update;
    select count(*), coalesce(sum(credits), 0) into used, price from generation_generation
     where guest_pass_id = new.guest_pass_id and state not in ('failed', 'cancelled');
    if pass.state <> 'open' or pass.ends_at <= statement_timestamp() then
        raise exception 'guest pass % is over', pass.id using errcode = 'check_violation';
    elsif pass.membership_id <> new.membership_id then
        raise exception 'guest pass % is another artist''s', pass.id using errcode = 'check_violation';
    elsif used > pass.generations or price > pass.credits then
        raise exception 'guest pass % is used up', pass.id using errcode = 'check_violation';
    end if;
    return null;
end $$;

create trigger within_guest_pass after insert on generation_generation
    for each row when (new.guest_pass_id is not null) execute function within_guest_pass();

create trigger guest_fixed before update of guest_pass_id, guest, guest_address, guest_clip on generation_generation
    for each row execute function refuse_change();
"""
FORGET = """
drop trigger guest_fixed on generation_generation;
drop trigger within_guest_pass on generation_generation;
drop function within_guest_pass();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0011_guest_passes"),
        ("generation", "0007_tests"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="guest",
            field=models.BinaryField(max_length=32, null=True, verbose_name="which of the pass's guests"),
        ),
        migrations.AddField(
            model_name="generation",
            name="guest_address",
            field=models.BinaryField(max_length=32, null=True, verbose_name="where from, on that day"),
        ),
        migrations.AddField(
            model_name="generation",
            name="guest_clip",
            field=models.UUIDField(null=True, unique=True, verbose_name="how its guest's address names it; random"),
        ),
        migrations.AddField(
            model_name="generation",
            name="guest_pass",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="works",
                to="gateway.guestpass",
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("guest__isnull", True),
                        ("guest_address__isnull", True),
                        ("guest_clip__isnull", True),
                        ("guest_pass__isnull", True),
                    ),
                    models.Q(
                        ("guest__isnull", False),
                        ("guest_address__isnull", False),
                        ("guest_clip__isnull", False),
                        ("guest_pass__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="a_guests_work_says_whose",
            ),
        ),
        migrations.RunSQL(WITHIN, FORGET),
    ]
