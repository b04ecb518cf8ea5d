"""The admins' pages of figures: the exact ones beside what the public reads, and how old the queues are."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, brakes, refusals, spreadsheets
from gateway.actors import Actor
from gateway.models import Brake
from gateway.models.program import money
from review import ageing
from review.transparency import months, words
from review.transparency.months import Period

COLUMNS = ("month", "counted up to", "whole month", "figure", "exact", "told", "told from", "told to")
A_ROW_EACH = 60  # months: five years


@access.admins
@require_safe
def queues(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Lane by lane: what waits, how long, who holds it, and how fast answers come."""
    lanes = ageing.lanes()
    return render(request, "review/queues.html", {"lanes": lanes, "held": any(lane.held for lane in lanes)})


@access.admins
@require_safe
def transparency(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A month's exact figures beside what is told of them."""
    kept = list(months.kept()[:A_ROW_EACH])
    asked = request.GET.get("month")
    row = next((row for row in kept if f"{row.month:%Y-%m}" == asked), kept[0] if kept else None)
    context: dict[str, Any] = {"kept": kept, "row": row}
    if row is not None:
        told = months.read([row])[0]
        context |= {
            "period": told,
            "gist": words.gist(told),
            "tables": [
                (title, [(label, _number(row.exact["counts"].get(name)), told.of(name)) for name, label in figures])
                for title, figures in words.GROUPS
            ],
            "waits": [
                (words.HALF, words.waited(row.exact["wait"]["median"]), words.waited(told.median_seconds)),
                (words.NINE_IN_TEN, words.waited(row.exact["wait"]["p90"]), words.waited(told.p90_seconds)),
            ],
            "clauses": [(each, told.naming(each["number"])) for each in row.exact["clauses"]],
            "sums": _sums(row.exact["money"], told),
            "stops": told.brakes,
        }
    return render(request, "review/transparency.html", context)


@access.admins
@require_safe
def transparency_csv(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Every month, a line for each figure, to reckon with."""
    lines: list[tuple[object, ...]] = []
    kept = list(months.kept()[:A_ROW_EACH])
    for row, told in zip(kept, months.read(kept), strict=True):
        before = (f"{row.month:%Y-%m}", row.until, "yes" if row.closed else "no")
        for name in words.LABELS:
            cell = told.of(name)
            lines.append((*before, name, row.exact["counts"].get(name), str(cell), cell.low, cell.high))
        for each in row.exact["clauses"]:
            cell = told.naming(each["number"])
            lines.append((*before, f"clause {each['number']}", each["count"], str(cell), cell.low, cell.high))
        for exact, each in zip(row.exact["money"], told.money, strict=True):
            name = f"{each.what} {each.currency}"
            lines.append((*before, name, exact["cents"], each.cents.value, each.cents.low, each.cents.high))
    response = HttpResponse(spreadsheets.write(COLUMNS, lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="transparency.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


@access.admins
@require_POST
def explain(request: HttpRequest, actor: Actor, brake: UUID) -> HttpResponseBase:
    """Word what the public reads of why a brake was pulled."""
    found = Brake.objects.filter(pk=brake).first()
    if found is None:
        raise refusals.NotFound
    brakes.explain(found, by=actor, words=request.POST.get("words", "")[:500])
    messages.success(request, "The public reads that from now on." if found.public_reason else "It has no word now.")
    return redirect(f"/program/transparency?month={found.created_at:%Y-%m}")


def _number(exact: int | None) -> str:
    return "not counted" if exact is None else f"{exact:,}"


def _sums(exact: list[dict[str, Any]], told: Period) -> list[tuple[str, str, int, str]]:
    return [
        (
            words.SUMS[each.what],
            money(row["cents"], row["currency"]),
            row["artists"],
            words.amount(each.cents, each.currency),
        )
        for row, each in zip(exact, told.money, strict=True)
    ]
