"""A person may say which studio they belong to: nobody there judges their works."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0014_consents"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="studio",
            field=models.CharField(blank=True, max_length=120, verbose_name="studio or collective"),
        ),
    ]
