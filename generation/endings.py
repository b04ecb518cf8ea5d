"""How a generation ends without a clip: it says so, and its credits come back whole, in one transaction."""

from typing import Any

from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import allowances, states, webhooks
from gateway.actors import Actor
from generation.models import Generation


def give_up(generation: Generation, to: str, *, by: Actor, when: Q | None = None, **changes: Any) -> None:
    """End it as `to`, cancelled or failed; `when` and `changes` as of states.move. Raises WrongState.

    Whoever listens hears `video.failed` of both: what was cancelled reads as failed in the videos interface.
    """
    with atomic():
        states.move(generation, to, by=by, when=when, ended_at=Now(), lease_until=None, **changes)
        allowances.give_back(generation.pk)
        tell("video.failed", generation)


def tell(event_type: str, generation: Generation) -> None:
    """Tell whoever listens what became of it, in the transaction in which it did."""
    webhooks.happened(event_type, f"video_{generation.pk.hex}", user=generation.membership.user_id)
