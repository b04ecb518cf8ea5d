"""What artists allow their works to be used for."""

from django.db import models
from django.db.models import F, Q

from .base import Row
from .members import User


class Consent(Row):
    """One answer to one purpose, for all of a person's works or for one; the latest that has not run out holds.

    Append-only: a grant is a row, and so is its revocation, whose id is the receipt's.
    """

    NOUN = "consent"
    PURPOSES = ("promote", "train", "exhibit", "study")

    user = models.ForeignKey(User, models.PROTECT, related_name="consents")
    work = models.UUIDField(
        null=True, help_text="The generation, if it is about one; not a key: that lives downstream."
    )
    purpose = models.TextField(choices=[(purpose, purpose) for purpose in PURPOSES])
    answer = models.TextField(choices=[("given", "given"), ("revoked", "revoked")])
    text_version = models.PositiveSmallIntegerField()
    expires_at = models.DateTimeField(null=True)
    reach = models.JSONField(default=dict, help_text="What a revocation touched, counted at that moment.")

    class Meta:
        indexes = [models.Index(fields=["user", "work", "purpose", "-created_at", "-id"], name="consent_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=["promote", "train", "exhibit", "study"]), name="consent_purposes_are_known"
            ),
            models.CheckConstraint(condition=Q(answer__in=["given", "revoked"]), name="consent_answers_are_known"),
            models.CheckConstraint(condition=Q(text_version__gte=1), name="a_consent_names_its_text"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(answer="given", expires_at__gt=F("created_at")),
                name="a_consent_ends_after_it_began",
            ),
        ]

    @property
    def receipt(self) -> bool:
        """Whether this is a revocation, and so a receipt of what it stopped."""
        return self.answer == "revoked"
