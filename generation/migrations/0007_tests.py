"""A test clip stays one: `test` is written once, like all that was asked for."""

from django.db import migrations

from gateway.triggers import fixed

ASKED = (
    *("membership_id", "model_id", "prompt", "width", "height", "seconds", "fps", "frames"),
    *("steps", "guidance", "seed", "credits"),
)
before, now = fixed("generation_generation", *ASKED), fixed("generation_generation", *ASKED, "test")


class Migration(migrations.Migration):
    dependencies = [("generation", "0006_limits")]
    operations = [migrations.RunSQL(before.reverse_sql, before.sql), now]
