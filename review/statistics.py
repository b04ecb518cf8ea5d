"""What one reviewer did, for nobody but themselves: no figure here compares two people, and none is a target."""

import statistics
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from django.db.models import Case, Count, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.fields import TextField
from django.db.models.functions import Coalesce, Now, TruncDay
from django.db.models.lookups import LessThanOrEqual

from gateway.models import Entry, User
from review.models import Decision

DAYS = 30


@dataclass(frozen=True)
class Answered:
    """How many answers of one kind."""

    verdict: str
    today: int
    week: int
    month: int


@dataclass(frozen=True)
class Record:
    """What a reviewer did in the last 30 days; appeals, which come late, in the last year."""

    answered: list[Answered]
    in_time: int
    late: int
    median_held: timedelta | None
    median_waited: timedelta | None
    undone: int
    agreed: int
    differed: int
    appealed: int
    overturned: int

    @property
    def total(self) -> Answered:
        rows = self.answered
        return Answered("", *(sum(getattr(row, name) for row in rows) for name in ("today", "week", "month")))


def of(reviewer: User) -> Record:
    """One's own figures, in five queries however long the record is."""
    mine = Decision.objects.filter(
        reviewer=reviewer,
        created_at__gt=Now() - timedelta(days=DAYS),
        revision__submission__membership__cohort__smoke=False,
    )
    standing = mine.filter(undone_at__isnull=True)
    held, waited, in_time = _times(standing)
    return Record(
        answered=_answered(standing),
        in_time=in_time.count(True),
        late=in_time.count(False),
        median_held=_median(held),
        median_waited=_median(waited),
        undone=mine.filter(undone_at__isnull=False).count(),
        **_second_looks(reviewer),
        **_appeals(reviewer),
    )


def _answered(standing: QuerySet[Decision]) -> list[Answered]:
    kind = Case(
        When(role="appeal", verdict="approve", then=Value("overturn")),
        default=F("verdict"),
        output_field=TextField(),
    )
    today = Q(created_at__gte=TruncDay(Now(), tzinfo=UTC))
    week = Q(created_at__gt=Now() - timedelta(days=7))
    rows = (
        standing.annotate(kind=kind)
        .values("kind")
        .annotate(today=Count("pk", filter=today), week=Count("pk", filter=week), month=Count("pk"))
        .order_by("-month", "kind")
    )
    return [Answered(row["kind"], row["today"], row["week"], row["month"]) for row in rows]


def _times(standing: QuerySet[Decision]) -> tuple[list[timedelta], list[timedelta], list[bool]]:
    """How long each was held, how long the artist had waited by then, and whether that was in time."""
    taken = Entry.objects.filter(
        subject_id=OuterRef("revision__submission_id"),
        actor_id=OuterRef("reviewer_id"),
        action="submission.taken",
        at__lte=OuterRef("created_at"),
    )
    rows = (
        standing.exclude(role="take_down")
        .annotate(
            taken_at=Subquery(taken.order_by("-id").values("at")[:1], output_field=DateTimeField()),
            asked_at=Coalesce("heard__created_at", "revision__created_at"),
            in_time=LessThanOrEqual(F("created_at"), F("due_at")),
        )
        .values_list("created_at", "taken_at", "asked_at", "in_time")
    )
    found = list(rows)
    held = [at - taken_at for at, taken_at, _, _ in found if taken_at is not None]
    return held, [at - asked for at, _, asked, _ in found], [in_time for *_, in_time in found]


def _median(times: list[timedelta]) -> timedelta | None:
    if not times:
        return None
    return timedelta(seconds=round(statistics.median(time.total_seconds() for time in times)))


def _second_looks(reviewer: User) -> dict[str, Any]:
    """Of the works at which they were one of two: how often the two said the same."""
    first = Decision.objects.filter(revision=OuterRef("revision"), role="first", undone_at__isnull=True)
    pairs = (
        Decision.objects.effective()
        .filter(role="second", created_at__gt=Now() - timedelta(days=DAYS))
        .filter(Q(reviewer=reviewer) | Exists(first.filter(reviewer=reviewer)))
        .annotate(firstly=Subquery(first.values("verdict")[:1]))
    )
    return pairs.aggregate(
        agreed=Count("pk", filter=Q(verdict=F("firstly"))), differed=Count("pk", filter=~Q(verdict=F("firstly")))
    )


def _appeals(reviewer: User) -> dict[str, Any]:
    """Of their refusals that were heard in the last year: how many did not stand."""
    heard = Decision.objects.filter(
        reviewer=reviewer,
        appeal__state__in=["upheld", "overturned"],
        appeal__hearing__effective_at__lte=Now(),
        appeal__hearing__effective_at__gt=Now() - timedelta(days=365),
    )
    return heard.aggregate(appealed=Count("pk"), overturned=Count("pk", filter=Q(appeal__state="overturned")))
