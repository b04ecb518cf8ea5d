"""Who may come in: people, the cohorts that they belong to, and how they got there."""

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

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
    smoke = models.BooleanField(
        "for self-tests", default=False, help_text="Its works never reach the public feed or any figure."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weight__gte=1), name="cohort_weight_is_positive"),
            models.CheckConstraint(condition=Q(requests_a_minute__gte=1), name="cohort_pace_is_positive"),
            models.CheckConstraint(condition=Q(review_hours__gte=1), name="cohort_answers_take_time"),
        ]

    def __str__(self) -> str:
        return self.name


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
    expires_at = models.DateTimeField()
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="invitation_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(role="reviewer") | Q(cohort__isnull=False, credits__isnull=False),
                name="an_artist_is_invited_into_a_cohort",
            ),
            models.CheckConstraint(
                condition=Q(state="accepted", accepted_by__isnull=False)
                | (~Q(state="accepted") & Q(accepted_by__isnull=True)),
                name="an_accepted_invitation_names_who",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.email}"


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
