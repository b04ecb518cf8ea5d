"""What a work is judged by."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from gateway.models import Cohort, User
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


class ReviewPolicy(Row):
    """How many look at a cohort's works, and what silence means. A cohort without one: one reviewer, no default."""

    NOUN = "review_policy"

    cohort = models.OneToOneField(Cohort, models.PROTECT, related_name="review_policy")
    reviewers = models.PositiveSmallIntegerField("reviewers for each work", default=1, choices=[(1, "one"), (2, "two")])
    sample_percent = models.PositiveSmallIntegerField(
        "looked at twice, in a hundred", default=0, validators=[MaxValueValidator(100)]
    )
    second_clauses = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    by_default = models.BooleanField("approved by silence, where nothing speaks against it", default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(reviewers__in=[1, 2]), name="one_or_two_reviewers"),
            models.CheckConstraint(condition=Q(sample_percent__lte=100), name="a_sample_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"review of {self.cohort}"


class Conflict(Row):
    """This reviewer is not to judge this artist's works: either of them, or an admin, said so."""

    NOUN = "conflict"

    reviewer = models.ForeignKey(User, models.PROTECT, related_name="+")
    artist = models.ForeignKey(User, models.PROTECT, related_name="+")
    named_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reviewer", "artist"], condition=Q(lifted_at__isnull=True), name="one_conflict_a_pair"
            ),
            models.CheckConstraint(condition=~Q(reviewer=F("artist")), name="a_conflict_is_between_two"),
        ]
