"""How a generation ends without a clip: it says so, and its credits come back whole, in one transaction."""

from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import allowances, states
from gateway.actors import Actor
from generation.models import Generation


def give_up(generation: Generation, to: str, *, by: Actor, when: Q | None = None, **changes: Any) -> None:
    """End it as `to`, cancelled or failed; `when` and `changes` as of states.move. Raises WrongState."""
    with atomic():
        states.move(generation, to, by=by, when=when, ended_at=Now(), lease_until=None, **changes)
        allowances.give_back(generation.pk)
