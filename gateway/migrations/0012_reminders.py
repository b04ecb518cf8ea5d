"""When admins were reminded of a request that is due."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("gateway", "0011_guest_passes")]
    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="reminded_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="admins were reminded"),
        ),
    ]
