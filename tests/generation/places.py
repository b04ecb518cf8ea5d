"""The line as tests look at it: each place is a number."""

from collections.abc import Collection
from uuid import UUID

from generation import scheduling
from generation.models import Generation


def positions(pool: str, wanted: Collection[Generation]) -> dict[UUID, int]:
    """Their places in line, from 1, of those that have one within FURTHEST."""
    pks = {generation.pk for generation in wanted}
    found, _ = scheduling.line(pool, wanted)
    return {place.pk: nth for nth, place in enumerate(found, start=1) if place.pk in pks}
