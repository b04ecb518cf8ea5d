"""How old the queues are: lane by lane, what waits, for how long, what is late, who holds what, how fast answers come.

A constant number of queries, each by an index, however many wait.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, OuterRef, Q, Subquery, TextField, Value, When
from django.db.models.functions import Coalesce, Now

from review.models import Appeal, Decision, Submission
from review.queue import held
from review.transparency.counting import Percentile
from review.transparency.words import waited

WORDS = {
    "first": "First looks",
    "second": "Second looks",
    "escalated": "Escalated",
    "appeal": "Appeals",
}
RECENTLY, LATELY = timedelta(hours=24), timedelta(days=7)


@dataclass
class Lane:
    """One line of works. `oldest` is since when the one that is due first waits."""

    name: str
    waiting: int = 0
    soon: int = 0
    late: int = 0
    due: datetime | None = None
    oldest: datetime | None = None
    answered: int = 0
    median: timedelta | None = None
    p90: timedelta | None = None
    held: list[Submission] = field(default_factory=list)

    @property
    def words(self) -> str:
        """As people call it."""
        return WORDS[self.name]

    @property
    def half(self) -> str:
        """Within what time half of the answers came."""
        return _words(self.median)

    @property
    def nine_in_ten(self) -> str:
        """Within what time nine in ten came."""
        return _words(self.p90)


def lanes() -> list[Lane]:
    """Every lane, the first looks first. What somebody holds waits too, until they have decided."""
    found = {name: Lane(name) for name in Submission.LANES}
    for name, lane in found.items():
        first = Submission.objects.filter(lane=name).order_by("due_at", "id").annotate(since=_since(name)).first()
        if first is not None:
            lane.due, lane.oldest = first.due_at, first.since
    for row in _counted():
        lane = found[row["lane"]]
        lane.waiting, lane.soon, lane.late = row["waiting"], row["soon"], row["late"]
    for row in _answered():
        lane = found[row["lane"]]
        lane.answered, lane.median, lane.p90 = row["recently"], row["median"], row["p90"]
    for submission in held().filter(holder__isnull=False).select_related("holder").order_by("lease_until")[:100]:
        found[submission.lane].held.append(submission)  # type: ignore[index]
    return list(found.values())


def _words(wait: timedelta | None) -> str:
    return waited(None if wait is None else int(wait.total_seconds()))


def _counted() -> list[dict[str, Any]]:
    rows = Submission.objects.filter(lane__isnull=False).order_by().values("lane")
    late, soon = Q(due_at__lt=Now()), Q(due_at__gte=Now(), due_at__lt=Now() + timedelta(hours=1))
    counted = rows.annotate(waiting=Count("pk"), soon=Count("pk", filter=soon), late=Count("pk", filter=late))
    return [dict(row) for row in counted]


def _since(lane: str) -> F | Subquery:
    """Of a submission: when its wait in this lane began, which for an appeal is when that was filed."""
    if lane != "appeal":
        return F("current__created_at")
    filed = Appeal.objects.filter(decision__revision__submission=OuterRef("pk"), state="open")
    return Subquery(filed.values("created_at")[:1])


def _answered() -> list[dict[str, Any]]:
    """What was decided within seven days, by the lane in which it was, and how long it had waited in all."""
    lane = Case(
        When(role="appeal", then=Value("appeal")),
        When(state_before="awaiting_second", then=Value("second")),
        When(state_before="escalated", then=Value("escalated")),
        default=Value("first"),
        output_field=TextField(),
    )
    since = Coalesce("heard__created_at", "revision__created_at")
    rows = Decision.objects.filter(undone_at__isnull=True, effective_at__gt=Now() - LATELY).exclude(role="take_down")
    grouped = rows.annotate(lane=lane).order_by().values("lane")
    waited = F("created_at") - since
    counted = grouped.annotate(
        recently=Count("pk", filter=Q(created_at__gt=Now() - RECENTLY)),
        median=Percentile(waited, at=0.5),
        p90=Percentile(waited, at=0.9),
    )
    return [dict(row) for row in counted]
