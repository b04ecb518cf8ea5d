"""Who may come in: people, the cohorts that they belong to, and how they got there."""

from functools import cached_property

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Lower, Now

from .base import Living, Row, states


class People(BaseUserManager["User"]):
    """Makes people; the e-mail address is the name they sign in with."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin, Row):
    """A person. What they may use hangs on their membership; whether they review or administer stands here."""

    NOUN = "user"

    email = models.EmailField("e-mail address")
    name = models.CharField("name, as credited", max_length=120)
    studio = models.CharField("studio or collective", max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_reviewer = models.BooleanField(default=False)
    is_staff = models.BooleanField("is admin", default=False)

    objects = People()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_person_an_address")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0]


class CohortQuerySet(models.QuerySet["Cohort"]):
    def seated(self) -> "CohortQuerySet":
        """Each with `taken`: how many seats its members hold and its open invitations promise."""
        members = Membership.objects.exclude(state="left")
        promised = Invitation.objects.open()
        return self.annotate(taken=_number(members) + _number(promised))


def _number(rows: "models.QuerySet[models.Model]") -> Coalesce:
    counted = rows.filter(cohort=OuterRef("pk")).order_by().values("cohort").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


class Cohort(Row):
    """Artists who came in together, under the same allowance and the same clock."""

    NOUN = "cohort"

    name = models.CharField(max_length=120, unique=True)
    credits = models.PositiveIntegerField("credits a month", default=120)
    daily = models.PositiveIntegerField("clips a day", default=200)
    concurrent = models.PositiveSmallIntegerField("clips at a time, waiting or being drawn", default=10)
    requests_a_minute = models.PositiveIntegerField(default=600)
    weight = models.PositiveSmallIntegerField("share of the machines", default=1)
    review_hours = models.PositiveSmallIntegerField("hours until an answer is due", default=24)
    seats = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: as many as are invited.")
    smoke = models.BooleanField(
        "for self-tests", default=False, help_text="Its works never reach the public feed or any figure."
    )

    objects = CohortQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weight__gte=1), name="cohort_weight_is_positive"),
            models.CheckConstraint(condition=Q(requests_a_minute__gte=1), name="cohort_pace_is_positive"),
            models.CheckConstraint(condition=Q(review_hours__gte=1), name="cohort_answers_take_time"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def free(self) -> int | None:
        """Seats that are neither taken nor promised, of a row out of `seated`; None when there is no limit."""
        return None if self.seats is None else max(0, self.seats - self.taken)  # type: ignore[attr-defined]


class Membership(Living):
    """A person's place in a cohort; tokens and generations carry it."""

    NOUN = "membership"
    MOVES = {"active": {"suspended", "left"}, "suspended": {"active", "left"}, "left": set()}

    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    cohort = models.ForeignKey(Cohort, models.PROTECT, related_name="memberships")
    state = states("active", "suspended", "left")
    credits = models.PositiveIntegerField("credits a month")
    daily = models.PositiveIntegerField("clips a day, if not the cohort's", null=True, blank=True)
    concurrent = models.PositiveSmallIntegerField("clips at a time, if not the cohort's", null=True, blank=True)
    requests_a_minute = models.PositiveIntegerField("requests a minute, if not the cohort's", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=~Q(state="left"), name="one_membership_a_person"),
            models.CheckConstraint(
                condition=Q(requests_a_minute__isnull=True) | Q(requests_a_minute__gte=1),
                name="membership_pace_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.cohort}"

    @cached_property
    def last_change(self) -> "MembershipChange | None":
        """The latest suspension, resumption or end, with its reason."""
        return self.changes.filter(kind__in=["suspended", "resumed", "ended", "left"]).order_by("-id").first()


class MembershipChange(Row):
    """What was done to a membership, by whom and why, for its artist to read. Append-only."""

    NOUN = "membership_change"
    KINDS = ("suspended", "resumed", "moved", "credits", "ended", "left")

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="changes")
    kind = models.TextField(choices=[(kind, kind) for kind in KINDS])
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    before = models.CharField(max_length=120, blank=True)
    after = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [models.Index(fields=["membership", "-id"], name="change_of_a_membership")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind__in=["suspended", "ended"]) | ~Q(reason=""),
                name="a_suspension_or_an_end_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["suspended", "resumed", "moved", "credits", "ended", "left"]),
                name="a_change_is_of_a_known_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {self.created_at:%-d %B %Y}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> "InvitationQuerySet":
        """Those whose link still lets somebody in."""
        return self.filter(state="sent", expires_at__gt=Now())


class Invitation(Living):
    """A letter to one address. Its link is stored as a digest; who holds the link may come in, once."""

    NOUN = "invitation"
    MOVES = {"sent": {"accepted", "revoked"}, "accepted": set(), "revoked": set()}

    email = models.EmailField()
    role = models.TextField(choices=[("artist", "artist"), ("reviewer", "reviewer")], default="artist")
    cohort = models.ForeignKey(Cohort, models.PROTECT, null=True, blank=True, related_name="invitations")
    credits = models.PositiveIntegerField("credits a month", null=True, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    state = states("sent", "accepted", "revoked")
    by_mail = models.BooleanField("mailed, not only handed over", default=True)
    note = models.TextField("a personal word", max_length=1000, blank=True)
    expires_at = models.DateTimeField()
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="invitation_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(role="reviewer") | Q(cohort__isnull=False, credits__isnull=False),
                name="an_artist_is_invited_into_a_cohort",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", accepted_by__isnull=False, accepted_at__isnull=False)
                | (~Q(state="accepted") & Q(accepted_by__isnull=True, accepted_at__isnull=True)),
                name="an_accepted_invitation_says_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.email}"


class AccessRequest(Living):
    """Somebody asks to come in. The link to its page is stored as a digest; who holds it reads the answer."""

    NOUN = "access_request"
    MOVES = {
        "requested": {"accepted", "declined", "withdrawn"},
        "accepted": set(),
        "declined": set(),
        "withdrawn": set(),
    }

    email = models.EmailField()
    name = models.CharField(max_length=120)
    links = ArrayField(models.URLField(max_length=500), verbose_name="links to work", size=5)
    words = models.TextField("a few words", max_length=2000, blank=True)
    digest = models.BinaryField(max_length=32, unique=True)
    state = states("requested", "accepted", "declined", "withdrawn")
    due_at = models.DateTimeField("an answer is due")
    reminded_at = models.DateTimeField("admins were reminded", null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True)
    invitation = models.OneToOneField(Invitation, models.PROTECT, null=True, blank=True, related_name="request")
    membership = models.OneToOneField(Membership, models.PROTECT, null=True, blank=True, related_name="request")

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="requested"), name="request_to_answer"),
            models.Index(fields=["-created_at"], name="request_latest"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), condition=Q(state="requested"), name="one_open_request_an_address"),
            models.CheckConstraint(condition=~Q(state="declined") | ~Q(reason=""), name="a_decline_has_a_reason"),
            models.CheckConstraint(
                condition=Q(state="requested", answered_at__isnull=True, answered_by__isnull=True)
                | Q(state="withdrawn", answered_at__isnull=False, answered_by__isnull=True)
                | Q(state__in=["accepted", "declined"], answered_at__isnull=False, answered_by__isnull=False),
                name="an_answer_says_by_whom_and_when",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", invitation__isnull=False, membership__isnull=True)
                | Q(state="accepted", invitation__isnull=True, membership__isnull=False)
                | (~Q(state="accepted") & Q(invitation__isnull=True, membership__isnull=True)),
                name="who_is_accepted_gets_a_place",
            ),
            models.CheckConstraint(condition=Q(links__len__lte=5), name="a_request_has_five_links_at_most"),
        ]

    def __str__(self) -> str:
        return f"request of {self.email}"


class SignInLink(Row):
    """A way in that works once, printed by `up` on the embedded gateway and nowhere else."""

    NOUN = "sign_in_link"

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="link_has_an_end"),
        ]
