"""What is stopped at the moment, why, and until when."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .base import Living, states
from .members import User

#: What a brake can be put on. The first three are credentials: braked, they open nothing at all.
SCOPES = ("token", "session", "guest_pass", "artist", "cohort", "model", "publication", "all")
CREDENTIALS = SCOPES[:3]
#: Those that are on no one person: the transparency report lists each, the others are only counted.
WIDE = ("cohort", "model", "all")


class BrakeQuerySet(models.QuerySet["Brake"]):
    def in_force(self) -> "BrakeQuerySet":
        """Pulled, and not past their end."""
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=Now()), state="pulled")

    def on(self, **targets: UUID | models.OuterRef | None) -> "BrakeQuerySet":
        """Those that touch any of `targets`, such as artist=…, cohort=…; one on everything always does."""
        touched = Q(scope="all")
        for scope, target in targets.items():
            if target is not None:
                touched |= Q(scope=scope, target=target)
        return self.filter(touched)

    def shutting(self, **targets: UUID | models.OuterRef | None) -> "BrakeQuerySet":
        """Of those: what shuts the door itself. A braked credential opens nothing; any other brake only says so."""
        return self.on(**targets).filter(Q(closes=True) | Q(scope__in=CREDENTIALS))


class Brake(Living):
    """A stop. What it is on, why and until when is written once; it is obeyed at the next request, step and claim.

    What the public reads of why is an admin's to word, at any time, of one that is on no one person.
    """

    NOUN = "brake"
    MOVES = {"pulled": {"released"}, "released": set()}

    scope = models.TextField(choices=[(scope, scope.replace("_", " ")) for scope in SCOPES])
    target = models.UUIDField(null=True, help_text="The row's id; not a key: some of them live downstream.")
    label = models.CharField("what it is on, in words", max_length=200)
    reason = models.TextField()
    public_reason = models.TextField("what the public reads of why", blank=True)
    closes = models.BooleanField("pages, downloads and public works too", default=False)
    source = models.TextField(choices=[(s, s) for s in ("admin", "command", "sighting")], default="admin")
    state = states("pulled", "released")
    ends_at = models.DateTimeField(null=True)
    pulled_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    released_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)
    why_released = models.TextField(blank=True)

    objects = BrakeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["scope", "target"], condition=Q(state="pulled"), name="brake_pulled"),
            models.Index(fields=["-id"], name="brake_latest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="all", target__isnull=True) | ~Q(scope="all") & Q(target__isnull=False),
                name="a_brake_is_on_something_or_on_all",
            ),
            models.CheckConstraint(
                condition=~Q(source="sighting") | Q(scope__in=CREDENTIALS), name="a_sighting_brakes_one_credential"
            ),
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="a_brake_has_a_reason"),
            models.CheckConstraint(
                condition=Q(public_reason="") | Q(scope__in=["cohort", "model", "all"]),
                name="only_a_wide_brake_is_told_to_the_public",
            ),
            models.CheckConstraint(
                condition=Q(state="pulled", released_at__isnull=True) | Q(state="released", released_at__isnull=False),
                name="a_released_brake_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"brake on {self.label}"

    @property
    def shuts(self) -> bool:
        """Whether it shuts the door itself, and does not only stop what makes something new."""
        return self.closes or self.scope in CREDENTIALS
