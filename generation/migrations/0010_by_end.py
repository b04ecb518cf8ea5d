"""Clips by the moment at which they ended, for the figures of a month."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0009_erasing"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", False)), fields=["ended_at"], name="generation_by_end"
            ),
        ),
    ]
