"""How a clause was read before: the answers of the last months that name it, without saying whose works they were."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, UUIDField
from django.db.models.functions import Now

from review.models import Appeal, Clause, Decision, Publication, Revision

DAYS = 90


@dataclass
class Reading:
    """How often a clause was named, by what came of it."""

    number: int
    verdicts: dict[str, int] = field(default_factory=dict)
    overturned: int = 0

    @property
    def total(self) -> int:
        return sum(self.verdicts.values())


def counts() -> dict[int, Reading]:
    """For each clause that was named, by its number over all its versions. Two queries, however many there are."""
    numbers = dict(Clause.objects.values_list("pk", "number"))
    named = _told().annotate(clause=Func(F("clauses"), function="unnest", output_field=UUIDField(), set_returning=True))
    rows = named.values_list("clause", "verdict", "overturned").annotate(n=Count("pk")).order_by()
    found: dict[int, Reading] = {}
    for clause, verdict, overturned, n in rows:
        reading = found.setdefault(numbers[clause], Reading(numbers[clause]))
        reading.verdicts[verdict] = reading.verdicts.get(verdict, 0) + n
        reading.overturned += n if overturned else 0
    return dict(sorted(found.items()))


def of(number: int) -> QuerySet[Decision]:
    """The answers that name clause `number`, latest first. `public` is the work's public page, where it has one now."""
    wordings = list(Clause.objects.filter(number=number).values_list("pk", flat=True))
    public = Publication.objects.public().filter(revision=OuterRef("revision"))
    return (
        _told()
        .filter(clauses__overlap=wordings)
        .annotate(public=Subquery(public.values("pk")[:1]))
        .order_by("-effective_at", "-id")
    )


def _told() -> QuerySet[Any]:
    """What artists were told in these months and what names a clause; `overturned` by an appeal since, if it was."""
    overturned = Appeal.objects.filter(
        decision=OuterRef("pk"), state="overturned", hearing__effective_at__lte=Now(), hearing__undone_at__isnull=True
    )
    self_tests = Revision.objects.filter(submission__membership__cohort__smoke=True).values("pk")
    return (
        Decision.objects.effective()
        .filter(
            ~Q(clauses=[]),
            Q(decides=True) | Q(role="take_down"),
            effective_at__gt=Now() - timedelta(days=DAYS),
        )
        .exclude(revision__in=self_tests)
        .annotate(overturned=Exists(overturned))
    )
