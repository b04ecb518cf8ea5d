"""What a work is judged by."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from gateway.models import Cohort, User
from gateway.models.base import Row
from gateway.triggers import ERASED
from review.dsa import OTHER_VIOLATION


class Clause(Row):
    """One rule of the policy, in plain language, with examples. A new wording is a new version, a new row.

    Examples stand one a line; what begins with `Not meant:` shows what the clause does not reach. `category` and
    `specification` are what a statement of reasons calls it (see review.dsa).
    """

    NOUN = "clause"
    NOT_MEANT = "Not meant:"

    number = models.PositiveSmallIntegerField()
    version = models.PositiveSmallIntegerField(default=1)
    title = models.CharField(max_length=120)
    body = models.TextField()
    example = models.TextField("examples, one a line")
    category = models.CharField(max_length=80, default=OTHER_VIOLATION)
    specification = models.CharField(max_length=80, blank=True)
    why = models.TextField("why it reads so from here on", blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.TextField(blank=True)

    class Meta:
        ordering = ["number", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["number", "version"], name="one_wording_a_version"),
            models.UniqueConstraint(
                fields=["number"], condition=Q(retired_at__isnull=True), name="one_wording_in_force"
            ),
            models.CheckConstraint(
                condition=Q(title__regex=r"\S") & Q(body__regex=r"\S") & Q(example__regex=r"\S"),
                name="a_clause_is_said_in_full",
            ),
            models.CheckConstraint(
                condition=Q(retired_because="") | Q(retired_at__isnull=False), name="only_what_is_retired_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} · {self.title}"

    @property
    def meant(self) -> list[str]:
        """The examples of what it reaches."""
        return [before for line in self.example.splitlines() if (before := line.partition(self.NOT_MEANT)[0].strip())]

    @property
    def not_meant(self) -> list[str]:
        """The examples of what it does not reach."""
        return [after for line in self.example.splitlines() if (after := line.partition(self.NOT_MEANT)[2].strip())]


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
    """This reviewer is not to judge this artist's works: either of them, or an admin, said so.

    Who names the other by address keeps the address, and the other only if there is somebody of that address; if not,
    it holds for whoever comes with it. So nobody learns from it whether somebody is here. What is lifted keeps none.
    """

    NOUN = "conflict"

    reviewer = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    artist = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    email = models.EmailField("named by this address", blank=True)
    named_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reviewer", "artist", "email", "named_by"],
                condition=Q(lifted_at__isnull=True) & ~Q(email=ERASED),
                nulls_distinct=False,
                name="one_conflict_a_pair",
            ),
            models.CheckConstraint(condition=~Q(reviewer=F("artist")), name="a_conflict_is_between_two"),
            models.CheckConstraint(
                condition=Q(reviewer__isnull=False, artist__isnull=False)
                | (~Q(email="") | Q(lifted_at__isnull=False))
                & (Q(reviewer=F("named_by"), reviewer__isnull=False) | Q(artist=F("named_by"), artist__isnull=False)),
                name="a_conflict_names_two_or_an_address",
            ),
        ]
