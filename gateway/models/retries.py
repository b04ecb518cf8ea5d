"""Requests that a client may send again."""

from django.db import models

from .base import Row
from .members import User


class KeyedRequest(Row):
    """A request with an `Idempotency-Key`, for a day: what it asked and was answered, readable to who has the key.

    `holder` is whose key it is: a token's family, a person in a browser, or an address that nobody is known at.
    """

    NOUN = "keyed_request"

    holder = models.UUIDField()
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    digest = models.BinaryField("SHA-256 of the key", max_length=32)
    asked = models.BinaryField("fingerprint of the request", max_length=32)
    held_until = models.DateTimeField("until then its request is being answered")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField("the answer, encrypted; nothing of one that can't be kept", null=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="keyed_request_by_age")]
        constraints = [models.UniqueConstraint(fields=["holder", "digest"], name="one_request_a_key")]
