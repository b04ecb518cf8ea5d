"""The program in figures: a row is written once, and a closed month is a whole one."""

import django.db.models.functions.datetime
from django.db import migrations, models

import gateway.models.base
from gateway.triggers import append_only

WHOLE = """
alter table review_figures add constraint a_closed_month_is_whole check (
    extract(day from month) = 1
    and until <= (month + interval '1 month')::date
    and closed = (until = (month + interval '1 month')::date)
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0019_public_reasons"),
        ("generation", "0010_by_end"),
        ("review", "0010_desk"),
    ]

    operations = [
        migrations.CreateModel(
            name="Figures",
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
                ("month", models.DateField(verbose_name="its first day")),
                ("until", models.DateField(verbose_name="counted up to this day")),
                ("closed", models.BooleanField(verbose_name="the whole month")),
                ("exact", models.JSONField()),
                ("told", models.JSONField()),
            ],
            options={
                "verbose_name_plural": "figures",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed", True)), fields=["-month"], name="figures_of_whole_months"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["month", "until"], name="figures_are_counted_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("closed", True)), fields=["month"], name="a_month_is_closed_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__gt", models.F("month"))), name="figures_are_of_whole_days"
                    ),
                ],
            },
        ),
        migrations.RunSQL(WHOLE, "alter table review_figures drop constraint a_closed_month_is_whole"),
        append_only("review_figures"),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("undone_at__isnull", True)), fields=["effective_at"], name="decision_by_time"
            ),
        ),
    ]
