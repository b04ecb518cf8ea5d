"""An artist deletes a clip, and makes a new one out of one; a repeated request is known by its fingerprint."""

import django.db.models.deletion
from django.db import migrations, models

from gateway.triggers import fixed, instead

ASKED = (
    *("membership_id", "model_id", "width", "height", "seconds", "fps", "frames"),
    *("steps", "guidance", "seed", "credits", "test", "picture_id"),
)


# Whether something that came of a clip keeps it from being deleted. Later rooms know, and put their own in its place.
KEPT = """
create function generation_is_kept(generation uuid) returns boolean language sql stable as 'select false';
"""


class Migration(migrations.Migration):
    dependencies = [("generation", "0015_line")]

    operations = [
        migrations.AlterField(
            model_name="generation",
            name="once",
            field=models.UUIDField(
                null=True, verbose_name="what one press of a button, or one key of a client's, asked for"
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="remixed_from",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="generation.generation",
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="asked",
            field=models.BinaryField(
                max_length=32, null=True, verbose_name="fingerprint of the request, by which a repetition is known"
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="attempt",
            field=models.PositiveSmallIntegerField(
                default=0, verbose_name="how often that request had been sent before"
            ),
        ),
        migrations.AddField(
            model_name="generation",
            name="deleted_at",
            field=models.DateTimeField(null=True, verbose_name="its artist deleted it: its files are gone"),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("asked__isnull", False)), fields=["membership", "asked"], name="generation_asked"
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.CheckConstraint(
                condition=models.Q(("deleted_at__isnull", True), ("ended_at__isnull", False), _connector="OR"),
                name="only_what_has_ended_is_deleted",
            ),
        ),
        migrations.RunSQL(KEPT, "drop function generation_is_kept(uuid);"),
        *instead(
            fixed("generation_generation", *ASKED),
            fixed("generation_generation", *ASKED, "remixed_from_id"),
        ),
    ]
