"""A worker tells which models' files its machine has; what waits again is found without what never was begun."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("generation", "0014_pictures")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="holds",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(),
                null=True,
                size=None,
                verbose_name="models whose files its machine has; not known before it tells",
            ),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("fence__gt", 0), ("state", "queued")), fields=["id"], name="generation_waits_again"
            ),
        ),
    ]
