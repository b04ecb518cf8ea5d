"""A conflict of interest named by an address, of which nobody learns whether somebody has it."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARD = """
create function guard_interests() returns trigger language plpgsql as $$
begin
    if new.role <> 'take_down' and exists (
        select from review_revision r
        join review_submission s on s.id = r.submission_id
        join gateway_membership m on m.id = s.membership_id
        join gateway_user artist on artist.id = m.user_id
        join gateway_user reviewer on reviewer.id = new.reviewer_id
        join review_conflict c on c.lifted_at is null and (
            c.reviewer_id is null and c.artist_id = artist.id and c.email = lower(reviewer.email)
            or c.artist_id is null and c.reviewer_id = reviewer.id and c.email = lower(artist.email)
        )
        where r.id = new.revision_id
    ) then
        raise exception 'nobody reviews where a conflict of interest is named' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_interests before insert on review_decision for each row execute function guard_interests();
"""

UNGUARD = "drop trigger guard_interests on review_decision; drop function guard_interests();"


class Migration(migrations.Migration):
    dependencies = [
        ("review", "0013_screening_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="conflict", name="one_conflict_a_pair"),
        migrations.AddField(
            model_name="conflict",
            name="email",
            field=models.EmailField(blank=True, max_length=254, default="", verbose_name="named by this address"),
            preserve_default=False,
        ),
        *(
            migrations.AlterField(
                model_name="conflict",
                name=side,
                field=models.ForeignKey(
                    null=True,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="+",
                    to=settings.AUTH_USER_MODEL,
                ),
            )
            for side in ("artist", "reviewer")
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lifted_at__isnull", True), models.Q(("email", "(erased)"), _negated=True)),
                fields=("reviewer", "artist", "email", "named_by"),
                name="one_conflict_a_pair",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("artist__isnull", False), ("reviewer__isnull", False)),
                    models.Q(
                        models.Q(models.Q(("email", ""), _negated=True), ("lifted_at__isnull", False), _connector="OR"),
                        models.Q(
                            models.Q(("reviewer", models.F("named_by")), ("reviewer__isnull", False)),
                            models.Q(("artist", models.F("named_by")), ("artist__isnull", False)),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="a_conflict_names_two_or_an_address",
            ),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
