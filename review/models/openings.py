"""Which private works admins have opened."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gateway.models import User
from gateway.models.base import Row
from generation.models import Generation

LENGTH = timedelta(minutes=15)


class Opening(Row):
    """An admin opens a private work, for a reason that its artist reads. It ends by itself, and never gets longer."""

    NOUN = "opening"

    admin = models.ForeignKey(User, models.PROTECT, related_name="+")
    generation = models.ForeignKey(Generation, models.PROTECT, related_name="+")
    reason = models.TextField()
    ends_at = models.DateTimeField(db_default=Now() + LENGTH)

    class Meta:
        indexes = [models.Index(fields=["generation", "-id"], name="opening_of_a_work")]
        constraints = [
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="an_opening_has_a_reason"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("created_at"), ends_at__lte=F("created_at") + timedelta(minutes=15)),
                name="an_opening_ends_within_a_quarter",
            ),
        ]
