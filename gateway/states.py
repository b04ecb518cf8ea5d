"""The only writers of any `state` column (the claim query in generation.scheduling is the one named exception).

Ask and act in one UPDATE: zero rows means no. A trigger behind each table refuses moves that MOVES does not know.
"""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.db.transaction import atomic

from gateway import audit
from gateway.actors import Actor
from gateway.models.base import Living
from gateway.refusals import WrongState


def sources(row: type[Living] | Living, to: str) -> list[str]:
    """The states from which `to` can be reached."""
    return [state for state, targets in row.MOVES.items() if to in targets]


def move(
    row: Living,
    to: str,
    *,
    by: Actor,
    when: Q | None = None,
    facts: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Move `row` to state `to`, if its life and `when` allow that at this very moment, and record who did it.

    `when` carries fences, leases and versions, all of them columns of the row itself: a join would make Django ask in a
    subquery, before the row is locked. `changes` are written in the same UPDATE; `facts` go into the audit entry.
    Raises WrongState when the database says no.
    """
    with atomic():
        moved = (
            type(row)
            ._base_manager.filter(when or Q(), pk=row.pk, state__in=sources(row, to))  # type: ignore[misc]
            .update(state=to, **changes)  # type: ignore[misc]
        )
        if not moved:
            row.refresh_from_db()
            raise WrongState(row, to)
        audit.record(f"{row.NOUN}.{to}", by=by, subject=row, facts=facts)
    row.refresh_from_db()


def move_all(queryset: QuerySet[Any], to: str, *, by: Actor, **changes: Any) -> list[Living]:
    """Move every row of `queryset` that may go to `to`, each with its audit entry; return those that went."""
    model = queryset.model
    with atomic():
        rows = list(
            model._base_manager.filter(
                pk__in=queryset.filter(state__in=sources(model, to)).values("pk"),
                state__in=sources(model, to),
            ).select_for_update(skip_locked=True, of=("self",))
        )
        model._base_manager.filter(pk__in=[row.pk for row in rows]).update(state=to, **changes)
        for row in rows:
            audit.record(f"{row.NOUN}.{to}", by=by, subject=row)
            row.state = to
    return rows
