"""How a reviewer likes their pages."""

from django.db import models
from django.db.models import F, Func, Value
from django.db.models.lookups import Exact

from gateway.models import User
from gateway.models.base import Row


class Preferences(Row):
    """Which key does what for one reviewer, and whether single keys do anything at all.

    `keys` holds the keys that they have chosen, by act; an act that is not in it has its usual key.
    """

    NOUN = "preferences"

    user = models.OneToOneField(User, models.CASCADE, related_name="+")
    keys = models.JSONField(default=dict)
    keys_on = models.BooleanField("single keys act", default=True)

    class Meta:
        verbose_name_plural = "preferences"
        constraints = [
            models.CheckConstraint(
                condition=Exact(
                    Func(F("keys"), function="jsonb_typeof", output_field=models.TextField()), Value("object")
                ),
                name="keys_stand_by_act",
            )
        ]
