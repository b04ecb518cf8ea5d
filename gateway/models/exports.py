"""What people took along."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .base import Row
from .members import User


class Export(Row):
    """A dossier that a person made of all that is theirs. It is streamed and kept nowhere: this says that it was made.

    `beat_at` is the last sign of life of what streams it; `sha256` is that of its manifest, of one that was whole.
    """

    NOUN = "export"

    user = models.ForeignKey(User, models.PROTECT, related_name="exports")
    beat_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    files = models.PositiveIntegerField(null=True)
    size = models.PositiveBigIntegerField("bytes", null=True)
    sha256 = models.CharField("of its manifest", max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="export_of_a_person")]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(ended_at__isnull=True), name="one_export_a_person_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(sha256="") | Q(ended_at__isnull=False, files__isnull=False, size__isnull=False),
                name="a_whole_export_says_what_it_was",
            ),
        ]

    @property
    def whole(self) -> bool:
        """Whether it went out to its end."""
        return bool(self.sha256)
