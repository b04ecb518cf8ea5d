"""From a verdict to the public: what is signed, and what is shown."""

from django.db import models
from django.db.models import Q

from gateway.models import Brake, User
from gateway.models.base import Living, Row, states

from .submissions import Revision, Submission


class SignOff(Row):
    """The artist's signature under one approved revision: bon à tirer. Append-only."""

    NOUN = "sign_off"

    revision = models.OneToOneField(Revision, models.PROTECT, related_name="sign_off")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    name = models.CharField("as signed", max_length=120)


class PublicationQuerySet(models.QuerySet["Publication"]):
    def public(self) -> "PublicationQuerySet":
        """What anyone may see: published, and no brake on it that closes."""
        shut = Brake.objects.in_force().shutting(
            artist=models.OuterRef("submission__membership__user_id"),
            cohort=models.OuterRef("submission__membership__cohort_id"),
        )
        on_it = Brake.objects.in_force().filter(scope="publication", target=models.OuterRef("pk"))
        return self.filter(~models.Exists(shut), ~models.Exists(on_it), state="published")

    def feed(self) -> "PublicationQuerySet":
        """What the public lists show: the self-tests' works are never among it."""
        return self.public().filter(submission__membership__cohort__smoke=False)

    def listed(self) -> "PublicationQuerySet":
        return self.select_related(
            "revision__output__generation__model",
            "submission__membership__user",
            "submission__membership__cohort",
            "submission__generation__model",
        ).prefetch_related("submission__generation__outputs")


class Publication(Living):
    """A work made public by its artist. The database refuses one without an approval in effect and a signature."""

    NOUN = "publication"
    MOVES = {
        "published": {"withdrawn", "taken_down"},
        "withdrawn": set(),
        "taken_down": {"published", "withdrawn"},  # an appeal overturned it, or its artist takes it back for good
    }

    submission = models.OneToOneField(Submission, models.PROTECT, related_name="publication")
    revision = models.OneToOneField(Revision, models.PROTECT, related_name="publication")
    state = states("published", "withdrawn", "taken_down")
    ended_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    objects = PublicationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-id"], condition=Q(state="published"), name="publication_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="published", ended_at__isnull=True)
                | ~Q(state="published") & Q(ended_at__isnull=False),
                name="an_ended_publication_says_when",
            ),
            models.CheckConstraint(
                condition=~Q(state="taken_down") | Q(reason__regex=r"\S"), name="a_take_down_has_a_reason"
            ),
        ]
