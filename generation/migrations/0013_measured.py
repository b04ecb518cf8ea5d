"""What a model's last clips took is read for every line that is shown."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("generation", "0012_fleet")]

    operations = [
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("state", "completed")), fields=["model", "-id"], name="generation_measured"
            ),
        ),
    ]
