"""The exact figures of some days, out of the rows themselves: for admins, and for what is made of them.

Everything but the requests is counted anew each day for the month so far. What happened is counted by the moment at
which it happened (a decision: took effect), so that months add up and a later change of mind changes no earlier month;
what waits or is owed is counted as it stands at that moment. Nobody in a cohort for self-tests counts, anywhere.
"""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Any, TypedDict
from uuid import UUID

from django.db import connection
from django.db.models import Aggregate, Count, DurationField, F, Func, Q, QuerySet, Sum, UUIDField
from django.utils import timezone

from gateway.models import (
    AccessRequest,
    Brake,
    Cohort,
    Contribution,
    GuestPass,
    Membership,
    MembershipChange,
    Sighting,
    Token,
)
from gateway.models.brakes import WIDE
from generation.models import Generation
from review.models import Appeal, Clause, Decision, Publication, Report, Submission

STALE = timedelta(days=2)  # so long after its end nothing can say any more what waited then


class Exact(TypedDict):
    """What `of` finds, as it is kept."""

    counts: dict[str, int | None]
    clauses: list[dict[str, Any]]
    wait: dict[str, float | None]
    money: list[dict[str, Any]]
    brakes: list[str]


class Percentile(Aggregate):
    """PostgreSQL's percentile_cont, of durations."""

    function = "percentile_cont"
    template = "%(function)s(%(at)s) within group (order by %(expressions)s)"
    output_field = DurationField()


def of(since: date, until: date, *, before: tuple[date, int] | None = None) -> Exact:
    """Count from `since` on, up to `until`, which is not counted any more; each figure by one query.

    `before` is up to when requests are counted already, and how many: the log is read once for each day.
    """
    span = midnight(since), midnight(until)
    counted, requests = before or (since, 0)
    stands = timezone.now() - span[1] < STALE
    answers, wait = _decisions(span)
    return {
        "counts": {
            "requests": requests + _requests(midnight(counted), span[1]),
            **_clips(span),
            **answers,
            **_waiting(span[1], stands),
            **_public(span),
            **_appeals(span),
            **_reports(span),
            **_sightings(span),
            **_brakes(span),
            **_access(span),
            **_contributions(span),
        },
        "clauses": _clauses(span),
        "wait": wait,
        "money": _money(span, stands),
        "brakes": [brake.pk.hex for brake in _pulled(span).filter(scope__in=WIDE).order_by("id")],
    }


Span = tuple[datetime, datetime]
COUNT_REQUESTS = """
select count(*) from audit.entry
where id >= %(first)s and id < %(last)s and at >= %(since)s and at < %(until)s and action = 'request.answered'
    and (actor_id is null or actor_id not in (
        select m.user_id from gateway_membership m join gateway_cohort c on c.id = m.cohort_id and c.smoke
    ))
"""


def midnight(day: date) -> datetime:
    """The moment at which a day begins, in UTC."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def _requests(since: datetime, until: datetime) -> int:
    """By the entries' own ids, which are in the order of time: no other index leads to the entries of a day."""
    slack = timedelta(hours=1)  # between the clocks of the web's machines and the database's
    bounds = {"first": _id_at(since - slack), "last": _id_at(until + slack)}
    with connection.cursor() as cursor:
        cursor.execute(COUNT_REQUESTS, {**bounds, "since": since, "until": until})
        return int(cursor.fetchone()[0])


def _id_at(moment: datetime) -> UUID:
    """The least id of that moment (UUIDv7, RFC 9562: its first 48 bits are milliseconds)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _within(name: str, span: Span) -> Q:
    return Q(**{f"{name}__gte": span[0], f"{name}__lt": span[1]})


def _testers() -> QuerySet[Membership, Any]:
    return Membership.objects.filter(cohort__smoke=True).values("user")


def _clips(span: Span) -> dict[str, int]:
    rows = Generation.objects.filter(_within("ended_at", span), test=False, membership__cohort__smoke=False)
    return rows.aggregate(
        clips_drawn=Count("pk", filter=Q(state="completed")),
        clips_failed=Count("pk", filter=Q(state="failed")),
        clips_cancelled=Count("pk", filter=Q(state="cancelled")),
    )


def _in_effect(span: Span) -> QuerySet[Decision]:
    ours = Q(revision__submission__membership__cohort__smoke=False)
    return Decision.objects.effective().filter(ours, _within("effective_at", span))


def _decisions(span: Span) -> tuple[dict[str, int], dict[str, float | None]]:
    answer = Q(decides=True, role__in=Decision.OUTCOMES)
    waited = F("effective_at") - F("revision__created_at")
    found = _in_effect(span).aggregate(
        approved=Count("pk", filter=answer & Q(verdict="approve") & ~Q(role="default")),
        approved_by_default=Count("pk", filter=answer & Q(role="default")),
        changes_requested=Count("pk", filter=answer & Q(verdict="request_changes")),
        rejected=Count("pk", filter=answer & Q(verdict="reject")),
        late=Count("pk", filter=answer & Q(created_at__gt=F("due_at"))),
        second_agreed=Count("pk", filter=answer & Q(role="second")),
        second_disagreed=Count("pk", filter=Q(role="second", decides=False) & ~Q(verdict="escalate")),
        taken_down=Count("pk", filter=Q(role="take_down")),
        appeals_upheld=Count("pk", filter=Q(role="appeal", verdict="uphold")),
        appeals_overturned=Count("pk", filter=Q(role="appeal", verdict="approve")),
        median=Percentile(waited, at=0.5, filter=answer),
        p90=Percentile(waited, at=0.9, filter=answer),
    )
    waits = {name: found.pop(name) for name in ("median", "p90")}
    return found, {name: wait.total_seconds() if wait is not None else None for name, wait in waits.items()}


def _clauses(span: Span) -> list[dict[str, Any]]:
    """How many refusals named each clause, whatever its wording was then."""
    named = _in_effect(span).filter(decides=True, verdict__in=["request_changes", "reject"])
    clause = Func(F("clauses"), function="unnest", output_field=UUIDField())
    rows = named.annotate(clause=clause).order_by().values_list("clause").annotate(n=Count("pk"))
    by_id = dict(rows)
    numbers: dict[int, int] = defaultdict(int)
    titles = {}
    for found in Clause.objects.filter(pk__in=by_id).order_by("version"):
        numbers[found.number] += by_id[found.pk]
        titles[found.number] = found.title
    return [{"number": n, "title": titles[n], "count": count} for n, count in sorted(numbers.items())]


def _waiting(until: datetime, stands: bool) -> dict[str, int | None]:
    if not stands:
        return {"waiting": None, "waiting_late": None}
    rows = Submission.objects.filter(lane__isnull=False, membership__cohort__smoke=False, current__created_at__lt=until)
    late = Q(due_at__lt=until)
    return rows.aggregate(waiting=Count("pk", filter=~late), waiting_late=Count("pk", filter=late))


def _public(span: Span) -> dict[str, int]:
    rows = Publication.objects.filter(_within("created_at", span), submission__membership__cohort__smoke=False)
    return {"published": rows.count()}


def _appeals(span: Span) -> dict[str, int]:
    ours = Q(decision__revision__submission__membership__cohort__smoke=False)
    return {"appeals_filed": Appeal.objects.filter(ours, _within("created_at", span)).count()}


def _reports(span: Span) -> dict[str, int]:
    """What came from outside. The first answer counts; an upheld one took its work down."""
    filed, answered = _within("created_at", span), _within("answered_at", span) & ~Q(reason="")
    upheld = _within("closed_at", span) & Q(state="upheld")
    rows = Report.objects.filter(publication__submission__membership__cohort__smoke=False)
    return rows.filter(filed | _within("answered_at", span) | upheld).aggregate(
        reports_filed=Count("pk", filter=filed),
        reports_declined=Count("pk", filter=answered),
        reports_upheld=Count("pk", filter=upheld),
    )


def _sightings(span: Span) -> dict[str, int]:
    rows = Sighting.objects.filter(_within("created_at", span) | _within("answered_at", span))
    seen, answered = _within("created_at", span), _within("answered_at", span) & Q(kind="use")
    return rows.exclude(owner__in=_testers()).aggregate(
        keys_frozen=Count("pk", filter=seen & Q(brake__isnull=False)),
        keys_found_in_public=Count("pk", filter=seen & Q(kind="leak")),
        sightings_besides=Count("pk", filter=seen & Q(brake__isnull=True) & ~Q(kind="leak")),
        sightings_cleared=Count("pk", filter=answered & Q(state__in=["explained", "dismissed"])),
        sightings_confirmed=Count("pk", filter=answered & Q(state__in=["rotated", "confirmed"])),
    )


def _pulled(span: Span) -> QuerySet[Brake]:
    """The brakes that a person pulled; what a sighting froze is a sighting."""
    testers = _testers()
    works = Publication.objects.filter(submission__membership__cohort__smoke=True)
    on_tests = (
        Q(scope="token", target__in=Token.objects.filter(user__in=testers).values("pk"))
        | Q(scope="guest_pass", target__in=GuestPass.objects.filter(membership__cohort__smoke=True).values("pk"))
        | Q(scope="artist", target__in=testers)
        | Q(scope="cohort", target__in=Cohort.objects.filter(smoke=True).values("pk"))
        | Q(scope="publication", target__in=works.values("pk"))
    )
    return Brake.objects.filter(_within("created_at", span)).exclude(source="sighting").exclude(on_tests)


def _brakes(span: Span) -> dict[str, int]:
    pulled = _pulled(span)
    on = {
        scope: list(pulled.filter(scope=scope).order_by().values_list("target", flat=True))
        for scope in ("artist", "cohort", "all")
    }
    suspended = MembershipChange.objects.filter(_within("created_at", span), kind="suspended").values("membership")
    here = Membership.objects.filter(cohort__smoke=False)
    stopped = here.filter(Q(user__in=on["artist"]) | Q(pk__in=suspended))
    members = here.exclude(state="left").filter(created_at__lt=span[1])
    wide = members if on["all"] else members.filter(cohort__in=on["cohort"])
    return {
        **pulled.aggregate(
            brakes_on_keys=Count("pk", filter=Q(scope__in=["token", "session", "guest_pass"])),
            brakes_on_artists=Count("pk", filter=Q(scope="artist")),
            brakes_on_works=Count("pk", filter=Q(scope="publication")),
        ),
        "locked_out": (stopped | wide).order_by().values("user").distinct().count(),
    }


def _access(span: Span) -> dict[str, int]:
    asked, answered = _within("created_at", span), _within("answered_at", span)
    return AccessRequest.objects.filter(asked | answered).aggregate(
        access_asked=Count("pk", filter=asked),
        access_accepted=Count("pk", filter=answered & Q(state="accepted")),
        access_declined=Count("pk", filter=answered & Q(state="declined")),
    )


def _contributions(span: Span) -> dict[str, int]:
    rows = Contribution.objects.exclude(user__in=_testers())
    reported, paid = _within("created_at", span), _within("paid_at", span)
    return rows.filter(reported | paid).aggregate(
        contributions_reported=Count("pk", filter=reported),
        contributions_paid=Count("pk", filter=paid),
        artists_paid=Count("user", distinct=True, filter=paid),
    )


def _money(span: Span, stands: bool) -> list[dict[str, Any]]:
    """What was paid, for test time and for the rest, and what is owed: each with how many artists' it is, and whose
    parts are largest."""
    rows = Contribution.objects.exclude(user__in=_testers())
    found = [
        *_sums("paid_for_tests", rows.filter(_within("paid_at", span), kind="test_hour")),
        *_sums("paid_for_the_rest", rows.filter(_within("paid_at", span)).exclude(kind="test_hour")),
    ]
    return [*found, *_sums("owed", rows.filter(state="accepted"))] if stands else found


def _sums(what: str, rows: QuerySet[Contribution]) -> list[dict[str, Any]]:
    by_currency: dict[str, list[tuple[int, int]]] = defaultdict(list)
    each = rows.order_by().values_list("currency", "user").annotate(c=Sum("cents"), m=Sum("minutes", default=0))
    for currency, _, cents, minutes in each:
        by_currency[currency].append((cents, minutes))
    found = []
    for currency, parts in sorted(by_currency.items()):
        largest = sorted((cents for cents, _ in parts), reverse=True)[:2]
        found.append(
            {
                "what": what,
                "currency": currency,
                "artists": len(parts),
                "cents": sum(cents for cents, _ in parts),
                "minutes": sum(minutes for _, minutes in parts),
                "largest": largest[0],
                "second": sum(largest[1:]),
            }
        )
    return found
