from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0006_limits"),
        ("generation", "0005_handed_back"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="test",
            field=models.BooleanField(default=False, verbose_name="asked for by a test token"),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("state__in", ["queued", "in_progress"])),
                fields=["membership"],
                name="generation_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.CheckConstraint(
                condition=models.Q(("test", False), ("credits", 0), _connector="OR"), name="a_test_costs_nothing"
            ),
        ),
    ]
