"""What a work is judged by."""

from django.db import models
from django.db.models import Q

from gateway.models.base import Row


class Clause(Row):
    """One rule of the policy, in plain language, with an example. A new wording is a new version, a new row."""

    NOUN = "clause"

    number = models.PositiveSmallIntegerField()
    version = models.PositiveSmallIntegerField(default=1)
    title = models.CharField(max_length=120)
    body = models.TextField()
    example = models.TextField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["number", "version"], name="one_wording_a_version"),
            models.UniqueConstraint(
                fields=["number"], condition=Q(retired_at__isnull=True), name="one_wording_in_force"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} · {self.title}"
