"""The figures in words: what each is called, the sentences that sum a month up, and the document for programs."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings

from gateway.models import Brake
from gateway.models.program import money
from review.transparency.disclosure import ANSWERS, Cell
from review.transparency.months import Period, Sum

REFUSED = ("changes_requested", "rejected")
GROUPS = (
    (
        "Answers",
        (
            ("approved", "Works approved by a reviewer"),
            ("approved_by_default", "Works approved by silence past the due date"),
            ("changes_requested", "Works for which changes were asked"),
            ("rejected", "Works not approved"),
            ("late", "Answers that came late, silence among them"),
            ("waiting", "Works that waited at the end, in time"),
            ("waiting_late", "Works that waited at the end, past their time"),
            ("second_agreed", "Second looks that agreed with the first"),
            ("second_disagreed", "Second looks that disagreed"),
        ),
    ),
    (
        "Appeals, take-downs and reports",
        (
            ("appeals_filed", "Appeals filed"),
            ("appeals_upheld", "Appeals after which the answer stands"),
            ("appeals_overturned", "Appeals that the artist won"),
            ("published", "Works published by their artists"),
            ("taken_down", "Works taken down"),
            ("reports_filed", "Reports of public works, by anybody"),
            ("reports_declined", "Reports after which the work stayed"),
            ("reports_upheld", "Reports after which it was taken down"),
        ),
    ),
    (
        "Access",
        (
            ("locked_out", "Artists locked out: braked or suspended, alone or with others"),
            ("keys_frozen", "Keys, sessions and passes frozen because they looked shared"),
            ("keys_found_in_public", "Keys found in public, and ended"),
            ("sightings_besides", "Other sightings, without a freeze"),
            ("sightings_cleared", "Sightings explained or dismissed"),
            ("sightings_confirmed", "Sightings that were a leak"),
            ("brakes_on_keys", "Brakes on a key, a session or a pass, pulled by a person"),
            ("brakes_on_artists", "Brakes on an artist"),
            ("brakes_on_works", "Brakes on a published work"),
            ("access_asked", "Requests for access"),
            ("access_accepted", "Requests accepted"),
            ("access_declined", "Requests declined, with a reason"),
        ),
    ),
    (
        "Contributions",
        (
            ("contributions_reported", "Contributions reported by artists"),
            ("contributions_paid", "Contributions paid"),
            ("artists_paid", "Artists who were paid"),
        ),
    ),
    (
        "Traffic",
        (
            ("requests", "Requests answered, refused ones too"),
            ("clips_drawn", "Clips drawn"),
            ("clips_failed", "Clips that failed; credits given back"),
            ("clips_cancelled", "Clips cancelled; credits given back"),
        ),
    ),
)
LABELS = {name: label for _, figures in GROUPS for name, label in figures}
HALF, NINE_IN_TEN = "Half of the answers came within", "Nine in ten came within"
SUMS = {
    "paid_for_tests": "Paid for test time",
    "paid_for_the_rest": "Paid for other contributions",
    "owed": "Owed at the end",
}


def gist(period: Period) -> list[str]:
    """A month in a few phrases."""
    answered, refused = period.of(*ANSWERS), period.of(*REFUSED)
    found = [f"{_many(answered, 'work', 'works')} answered"]
    if period.median_seconds is not None:
        found.append(f"half of them within {duration(period.median_seconds)}")
    found.append(f"{refused} refused or sent back" + ("" if refused.high == 0 else ", each with a clause"))
    found.append(f"{_many(period.of('appeals_filed'), 'appeal', 'appeals')}, {period.of('appeals_overturned')} won")
    found.append(f"{_many(period.of('locked_out'), 'artist', 'artists')} locked out")
    tested = period.tested()
    if tested.value is not None:
        found.append(f"{tested.value // 60:,} h of testing paid")
    return found


def duration(seconds: float) -> str:
    """5 h 40 min; 3 days 4 h."""
    minutes = max(1, int(seconds) // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def waited(seconds: float | None) -> str:
    """A wait, where it is told."""
    return "–" if seconds is None else duration(seconds)


def tables(period: Period) -> list[tuple[str, list[tuple[str, str]]]]:
    """Everything that is counted, by its groups."""
    found = [(title, [(label, str(period.of(name))) for name, label in figures]) for title, figures in GROUPS]
    if period.is_month:
        found[0][1].extend([(HALF, waited(period.median_seconds)), (NINE_IN_TEN, waited(period.p90_seconds))])
    return found


def amount(cell: Cell, currency: str) -> str:
    """A sum of money, as far as it is told."""
    if cell.value is not None:
        return money(cell.value, currency)
    return f"{money(cell.low, currency)} or more" if cell.low else "of too few artists"


def sums(period: Period) -> list[tuple[str, str, str]]:
    """What was paid and is owed: what, how much, and the test time that it stands for."""
    rows = sorted(period.money, key=lambda each: (list(SUMS).index(each.what), each.currency))
    return [(SUMS[each.what], amount(each.cents, each.currency), _hours(each)) for each in rows]


def document(period: Period) -> dict[str, Any]:
    """What is told of a period, for programs. Its shape: static/transparency.schema.json."""
    return {
        "object": "transparency.figures",
        "period": period.name,
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "closed": period.closed,
        "threshold": period.threshold,
        "counts": {name: period.of(name).told for name in LABELS},
        "time_to_answer": {"median_seconds": period.median_seconds, "p90_seconds": period.p90_seconds},
        "refusals_by_clause": {
            "told": period.clauses,
            "clauses": [
                {"number": each.number, "title": each.title, "count": each.count.told if each.count else None}
                for each in period.named
            ],
        },
        "contributions": [
            {
                "what": each.what,
                "currency": each.currency,
                "cents": each.cents.told,
                "minutes": each.minutes.told,
            }
            for each in period.money
        ],
        "brakes": [_brake(brake) for brake in period.brakes],
    }


def report(under_way: Period | None, months: Iterable[Period]) -> dict[str, Any]:
    """The last months, for programs."""
    return {
        "object": "transparency.report",
        "program": settings.PROGRAM_NAME,
        "url": f"{settings.BASE_URL}/transparency",
        "all_time_url": f"{settings.BASE_URL}/transparency/all.json",
        "under_way": document(under_way) if under_way else None,
        "months": [document(period) for period in months],
    }


def stopped(brake: Brake) -> str:
    """What a brake was on, in words that name nobody."""
    return {"all": "Everything", "cohort": "A cohort"}.get(brake.scope, brake.label[:1].upper() + brake.label[1:])


def ended(brake: Brake) -> Any:
    """When it let go; None while it does not."""
    return min((at for at in (brake.released_at, brake.ends_at) if at is not None), default=None)


def _brake(brake: Brake) -> dict[str, Any]:
    end = ended(brake)
    return {
        "on": stopped(brake),
        "scope": brake.scope,
        "closed_pages": brake.closes,
        "pulled_at": brake.created_at.isoformat(timespec="minutes"),
        "ended_at": end.isoformat(timespec="minutes") if end else None,
        "by": "command line" if brake.source == "command" else "admin",
        "words": brake.public_reason or None,
    }


def _many(cell: Cell, one: str, many: str) -> str:
    return f"{cell} {one if cell.value == 1 else many}"


def _hours(each: Sum) -> str:
    if each.minutes.value is None:
        return ""
    return f"{each.minutes.value // 60:,} h" if each.minutes.value else ""
