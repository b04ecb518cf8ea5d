"""A picture that a clip begins from: written once, as all that is asked for."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import append_only, fixed, instead

ASKED = (
    *("membership_id", "model_id", "width", "height", "seconds", "fps", "frames"),
    *("steps", "guidance", "seed", "credits", "test"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0019_public_reasons"),
        ("generation", "0013_measured"),
    ]

    operations = [
        migrations.CreateModel(
            name="Picture",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=gateway.models.base.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("path", models.CharField(max_length=200, unique=True, verbose_name="where storage keeps it")),
                ("media_type", models.CharField(max_length=60)),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveBigIntegerField(verbose_name="bytes")),
                ("width", models.PositiveSmallIntegerField(verbose_name="width in pixels, as stored")),
                ("height", models.PositiveSmallIntegerField(verbose_name="height in pixels, as stored")),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="gateway.membership"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="generation",
            name="picture",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="generation",
                to="generation.picture",
                verbose_name="what it begins from",
            ),
        ),
        migrations.AddConstraint(
            model_name="picture",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="picture_has_a_sha256"
            ),
        ),
        append_only("generation_picture"),
        *instead(
            fixed("generation_generation", *ASKED),
            fixed("generation_generation", *ASKED, "picture_id"),
        ),
    ]
