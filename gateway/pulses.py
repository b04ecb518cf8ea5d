"""Which processes live: each writes its own pulse, /readyz and the fleet page read them."""

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from gateway.models import Pulse

FRESH = timedelta(seconds=15)
KINDS = ("gpu", "chores", "scheduler")


def beat(kind: str, name: str) -> None:
    """This process lives."""
    Pulse.objects.update_or_create(name=name, defaults={"kind": kind, "seen_at": Now()})


def stop(name: str) -> None:
    """This process has ended in good order."""
    Pulse.objects.filter(name=name).delete()


def live() -> QuerySet[Pulse]:
    """Those seen lately."""
    return Pulse.objects.filter(seen_at__gt=Now() - FRESH)
