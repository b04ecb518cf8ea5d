"""The transparency report: a page, a page for each month, and both for programs."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from review.public.answers import asked_anew
from review.transparency import months, words
from review.transparency.disclosure import ANSWERS, Cell
from review.transparency.months import Period


@require_safe
@asked_anew
def report(request: HttpRequest) -> HttpResponse:
    """/transparency"""
    whole, so_far = months.whole(), months.under_way()
    most = max((_size(period.of(*ANSWERS)) for period in whole), default=0)
    shown = whole[0] if whole else so_far
    context = {
        "last": whole[0] if whole else None,
        "gists": [(period, words.gist(period)) for period in (*whole[:1], so_far) if period is not None],
        "schema": static("transparency.schema.json"),
        "rows": [_row(period, most) for period in whole],
        "threshold": shown.threshold if shown else settings.TRANSPARENCY_THRESHOLD,
        **(_detail(shown) if shown else {}),
    }
    return render(request, "public/transparency.html", context)


@require_safe
@asked_anew
def report_json(request: HttpRequest) -> HttpResponse:
    """/transparency.json"""
    return _json(words.report(months.under_way(), months.whole()))


@require_safe
@asked_anew
def period(request: HttpRequest, name: str) -> HttpResponse:
    """/transparency/2026-09, a quarter, or `all`: everything that is told of it."""
    found = months.of(name)
    context = {"gist": words.gist(found), "threshold": found.threshold, **_detail(found)}
    return render(request, "public/transparency_period.html", context)


@require_safe
@asked_anew
def period_json(request: HttpRequest, name: str) -> HttpResponse:
    """/transparency/2026-09.json"""
    return _json(words.document(months.of(name)))


def _json(document: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(document, json_dumps_params={"ensure_ascii": False})
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _detail(period: Period) -> dict[str, Any]:
    return {
        "period": period,
        "tables": words.tables(period),
        "sums": words.sums(period),
        "stops": [(brake, words.stopped(brake), words.ended(brake)) for brake in period.brakes],
    }


def _row(period: Period, most: int) -> dict[str, Any]:
    """A month in the table of months."""
    answered = period.of(*ANSWERS)
    return {
        "period": period,
        "answered": answered,
        "share": 100 * _size(answered) // most if most else 0,
        "median": words.waited(period.median_seconds),
        "p90": words.waited(period.p90_seconds),
        "refused": period.of(*words.REFUSED),
        **{name: period.of(name) for name in ("late", "appeals_filed", "appeals_overturned", "taken_down")},
        "locked_out": period.of("locked_out"),
    }


def _size(cell: Cell) -> int:
    """How long its bar is."""
    return cell.low if cell.value is None else cell.value
