"""What an artist agrees to, by version."""

from django.db import models

from .base import Row
from .members import User


class Terms(Row):
    """One version of the program's terms, with the rate card; never edited once somebody has accepted it."""

    NOUN = "terms"

    version = models.PositiveIntegerField(unique=True)
    body = models.TextField()

    class Meta:
        ordering = ["-version"]
        verbose_name_plural = "terms"

    def __str__(self) -> str:
        return f"version {self.version}"


class TermsAcceptance(Row):
    """Who accepted which version, and when. Append-only."""

    NOUN = "terms_acceptance"

    terms = models.ForeignKey(Terms, models.PROTECT, related_name="acceptances")
    user = models.ForeignKey(User, models.PROTECT, related_name="acceptances")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["terms", "user"], name="terms_are_accepted_once")]
