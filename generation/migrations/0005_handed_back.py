"""How often a brake put a generation back into the line."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("generation", "0004_sketch_trained"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="handed_back",
            field=models.PositiveSmallIntegerField(
                default=0, verbose_name="how often a brake put it back into the line"
            ),
        ),
    ]
