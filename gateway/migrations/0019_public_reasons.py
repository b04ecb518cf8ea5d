"""What the public reads of why a brake was pulled, where an admin says so, in words that name nobody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0018_erasing"),
    ]

    operations = [
        migrations.AddField(
            model_name="brake",
            name="public_reason",
            field=models.TextField(blank=True, default="", verbose_name="what the public reads of why"),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="brake",
            constraint=models.CheckConstraint(
                condition=models.Q(("public_reason", ""), ("scope__in", ["cohort", "model", "all"]), _connector="OR"),
                name="only_a_wide_brake_is_told_to_the_public",
            ),
        ),
    ]
