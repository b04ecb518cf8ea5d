"""What a statement of reasons calls a clause, why it reads so, and why it went."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("review", "0005_approval_rules")]
    operations = [
        migrations.AddField(
            "clause", "category", models.CharField(default="STATEMENT_CATEGORY_OTHER_VIOLATION_TC", max_length=80)
        ),
        migrations.AddField("clause", "specification", models.CharField(blank=True, max_length=80)),
        migrations.AddField("clause", "why", models.TextField(blank=True, verbose_name="why it reads so from here on")),
        migrations.AddField("clause", "retired_because", models.TextField(blank=True)),
        migrations.AlterField("clause", "example", models.TextField(verbose_name="examples, one a line")),
        migrations.AddConstraint(
            "clause",
            models.CheckConstraint(
                condition=Q(title__regex=r"\S") & Q(body__regex=r"\S") & Q(example__regex=r"\S"),
                name="a_clause_is_said_in_full",
            ),
        ),
        migrations.AddConstraint(
            "clause",
            models.CheckConstraint(
                condition=Q(retired_because="") | Q(retired_at__isnull=False), name="only_what_is_retired_says_why"
            ),
        ),
    ]
