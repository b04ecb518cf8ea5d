"""Which processes live."""

from django.db import models


class Pulse(models.Model):
    """The last sign of life of a process; each writes its own."""

    name = models.TextField(primary_key=True)
    kind = models.TextField(choices=[(kind, kind) for kind in ("gpu", "chores", "scheduler")])
    seen_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "-seen_at"], name="pulse_latest")]
