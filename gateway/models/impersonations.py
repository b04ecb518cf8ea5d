"""Who looked at the program as somebody else."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from .base import Row
from .members import User

LENGTH = timedelta(minutes=30)


class Impersonation(Row):
    """An admin looks as an artist, for a reason that the artist reads. It ends by itself, and never gets longer."""

    NOUN = "impersonation"

    admin = models.ForeignKey(User, models.PROTECT, related_name="+")
    artist = models.ForeignKey(User, models.PROTECT, related_name="visits")
    reason = models.TextField()
    ends_at = models.DateTimeField(db_default=Now() + LENGTH)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["artist", "-created_at"], name="visit_latest")]
        constraints = [
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="an_impersonation_has_a_reason"),
            models.CheckConstraint(condition=~Q(admin=F("artist")), name="nobody_impersonates_themselves"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("created_at"), ends_at__lte=F("created_at") + timedelta(hours=1)),
                name="an_impersonation_ends_within_the_hour",
            ),
            models.UniqueConstraint(
                fields=["admin"], condition=Q(ended_at__isnull=True), name="one_impersonation_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.admin} as {self.artist}"
