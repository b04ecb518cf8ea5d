"""The figures, month by month: counted once a day, closed once, and read by everybody.

A month is closed by the first count after its end. Figures of the month under way are those of whole days: whoever
looks ten times a day sees the same.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Min, QuerySet
from django.db.transaction import atomic

from gateway import actors, audit, refusals
from gateway.audit.record import canonical
from gateway.models import Brake, Cohort
from review.models import Figures
from review.transparency import counting, disclosure
from review.transparency.disclosure import NONE, UNKNOWN, Cell

LOCK = 7_401_967  # one at a time counts
SETTLED = timedelta(minutes=10)  # what was begun before midnight is in the log by then
SHOWN = 12  # whole months on the page


STOCKS = ("waiting", "waiting_late")  # counted as they stand: months of them don't add up
PEOPLE = ("artists_paid", "locked_out")  # nor do these: one of them may be in several months


@dataclass(frozen=True)
class Named:
    """A clause of the policy under which works were refused, and how often, where that is told."""

    number: int
    title: str
    count: Cell | None


@dataclass(frozen=True)
class Sum:
    """What was paid or is owed in one currency, in cents, and how much test time it stands for."""

    what: str
    currency: str
    cents: Cell
    minutes: Cell


@dataclass(frozen=True)
class Period:
    """What the public reads of a month, or of several together. `clauses` says how refusals by clause are told."""

    name: str
    words: str
    since: date
    until: date
    closed: bool
    threshold: int
    counts: dict[str, Cell]
    clauses: str
    named: list[Named]
    median_seconds: int | None
    p90_seconds: int | None
    money: list[Sum]
    brakes: list[Brake]

    @property
    def is_month(self) -> bool:
        """Whether it is a month, or part of one, and not several."""
        return self.until <= after(self.since)

    @property
    def last_day(self) -> date:
        """The last day that is counted."""
        return self.until - timedelta(days=1)

    def of(self, *names: str) -> Cell:
        """What is told of these counts together; of one that was not counted then, nothing."""
        return disclosure.total(self.counts.get(name, UNKNOWN) for name in names)

    def naming(self, number: int) -> Cell:
        """What is told of how often a clause was named."""
        if self.clauses == "withheld":
            return UNKNOWN
        for each in self.named:
            if each.number == number:
                return each.count or Cell(None, 1, None)
        return NONE

    def tested(self) -> Cell:
        """What is told of the minutes of test time that were paid, in all currencies."""
        return disclosure.total(each.minutes for each in self.money if each.what == "paid_for_tests")


def count() -> int:
    """Count what has not been counted up to last midnight, and close the months that are over; return how many rows.

    Each of a day's figures is counted once, however many ask.
    """
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        now: datetime = cursor.fetchone()[0]
    today = (now.astimezone(UTC) - SETTLED).date()
    latest = Figures.objects.order_by("-until").first()
    if latest is None:
        began = Cohort.objects.filter(smoke=False).aggregate(at=Min("created_at"))["at"]
        if began is None:
            return 0
        month = began.astimezone(UTC).date().replace(day=1)
    else:
        month = after(latest.month) if latest.closed else latest.month
    written = 0
    while month < today:
        written += write(month, min(after(month), today))
        month = after(month)
    return written


def write(month: date, until: date) -> bool:
    """Count `month` up to `until` and keep it; whether it was not there already."""
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        known = Figures.objects.filter(month=month)
        if known.filter(until__gte=until).exists():
            return False
        before = known.order_by("-until").first()
        so_far = (before.until, before.exact["counts"]["requests"]) if before else None
        exact = counting.of(month, until, before=so_far)
        row = Figures.objects.create(
            month=month,
            until=until,
            closed=until == after(month),
            exact=exact,
            told=disclosure.of(dict(exact), settings.TRANSPARENCY_THRESHOLD),
        )
        audit.record(
            "figures.counted",
            by=actors.SYSTEM,
            subject=row,
            facts={"month": month, "until": until, "told": hashlib.sha256(canonical(row.told)).hexdigest()},
        )
    return True


def after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=32)).replace(day=1)


def last() -> Period | None:
    """The latest whole month, if there is one."""
    return next(iter(whole(1)), None)


def whole(most: int = SHOWN) -> list[Period]:
    """The whole months, the last one first."""
    return read(Figures.objects.filter(closed=True).defer("exact").order_by("-month")[:most])


def under_way() -> Period | None:
    """The month under way, up to last midnight; None on its first day."""
    newest = Figures.objects.defer("exact").order_by("-until").first()
    return None if newest is None or newest.closed else read([newest])[0]


def kept() -> QuerySet[Figures]:
    """Of each month the latest count, the last month first: with the exact figures, which are for admins."""
    return Figures.objects.order_by("-month", "-until").distinct("month")


def of(name: str) -> Period:
    """A month (2026-09), a quarter (2026-q3), or `all`, as far as it is counted. Raises NotFound for anything else.

    What is longer than a month is made of what was told of its months: `disclosure`, rule 2.
    """
    rows = kept().defer("exact")
    if name == "all":
        found = read(rows)
        return _together("all", "All time", found)
    if match := re.fullmatch(r"([12]\d{3})-(\d{2})", name):
        month = _first(int(match[1]), int(match[2]))
        return _only(read(rows.filter(month=month)))
    if match := re.fullmatch(r"([12]\d{3})-q([1-4])", name):
        begins = _first(int(match[1]), 3 * int(match[2]) - 2)
        ends = after(after(after(begins)))
        found = read(rows.filter(month__gte=begins, month__lt=ends))
        whole_of_it = len(found) == 3 and all(period.closed for period in found)
        return _together(name, f"Quarter {match[2]} of {match[1]}", found, closed=whole_of_it)
    raise refusals.NotFound


def _first(year: int, month: int) -> date:
    if not 1 <= month <= 12:
        raise refusals.NotFound
    return date(year, month, 1)


def _only(periods: list[Period]) -> Period:
    if not periods:
        raise refusals.NotFound
    return periods[0]


def read(rows: Iterable[Figures]) -> list[Period]:
    """What the public reads of these counts."""
    found = list(rows)
    ids = [UUID(hex=pk) for row in found for pk in row.told["brakes"]]
    brakes = {brake.pk.hex: brake for brake in Brake.objects.filter(pk__in=ids)} if ids else {}
    return [_period(row, brakes) for row in found]


def _period(row: Figures, brakes: dict[str, Brake]) -> Period:
    told = row.told
    return Period(
        name=f"{row.month:%Y-%m}",
        words=f"{row.month:%B %Y}",
        since=row.month,
        until=row.until,
        closed=row.closed,
        threshold=told["threshold"],
        counts={name: Cell.read(cell) for name, cell in told["counts"].items()},
        clauses=told["clauses"]["told"],
        named=[
            Named(each["number"], each["title"], Cell.read(each["count"]) if each["count"] else None)
            for each in told["clauses"]["named"]
        ],
        **told["wait"],
        money=[
            Sum(each["what"], each["currency"], Cell.read(each["cents"]), Cell.read(each["minutes"]))
            for each in told["money"]
        ],
        brakes=[brakes[pk] for pk in told["brakes"] if pk in brakes],
    )


def _together(name: str, words: str, periods: list[Period], *, closed: bool = False) -> Period:
    """Several months as one, made of nothing but what each of them tells."""
    if not periods:
        raise refusals.NotFound
    newest = periods[0]  # they come with the last one first
    known = {figure for period in periods for figure in period.counts}
    counts = {figure: disclosure.total(period.of(figure) for period in periods) for figure in known}
    counts |= {figure: newest.of(figure) for figure in STOCKS}
    for figure in PEOPLE:
        if counts[figure] != NONE:
            counts[figure] = Cell(None, max(period.of(figure).low for period in periods), None)
    titles = {each.number: each.title for period in reversed(periods) for each in period.named}
    named = [
        Named(number, title, disclosure.total(period.naming(number) for period in periods))
        for number, title in sorted(titles.items())
    ]
    sums: dict[tuple[str, str], Sum] = {}
    for period in periods:
        for each in period.money:
            if each.what != "owed" or period is newest:
                key = (each.what, each.currency)
                so_far = sums.get(key, Sum(*key, NONE, NONE))
                sums[key] = Sum(*key, so_far.cents + each.cents, so_far.minutes + each.minutes)
    return Period(
        name=name,
        words=words,
        since=periods[-1].since,
        until=newest.until,
        closed=closed,
        threshold=newest.threshold,
        counts=counts,
        clauses="numbers" if named else "none",
        named=named,
        median_seconds=None,
        p90_seconds=None,
        money=list(sums.values()),
        brakes=[brake for period in periods for brake in period.brakes],
    )
