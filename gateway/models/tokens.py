"""Keys for clients."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from .base import Row
from .members import Membership, User


class TokenQuerySet(models.QuerySet["Token"]):
    def live(self) -> "TokenQuerySet":
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=Now()), revoked_at__isnull=True)


class Token(Row):
    """A key of one person's. Only its SHA-256 is stored; the secret is shown once."""

    NOUN = "token"
    SCOPES = ("generate", "submit", "publish", "review")

    user = models.ForeignKey(User, models.PROTECT, related_name="tokens")
    membership = models.ForeignKey(Membership, models.PROTECT, null=True, related_name="tokens")
    label = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    last_four = models.CharField(max_length=4)
    scopes = ArrayField(models.TextField())
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    objects = TokenQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="token_of_a_person")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=["generate", "submit", "publish", "review"]),
                name="token_scopes_are_known",
            ),
        ]
