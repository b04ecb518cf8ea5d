"""Where statements of reasons are read: an artist's own, everybody's without names for admins, and their schema."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from gateway import access, spreadsheets
from gateway.actors import Actor
from gateway.views import page
from review import statements
from review.policy_forms import PeriodForm

SCHEMA = Path(__file__).parent / "schemas" / "statement.json"


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """What a statement of reasons holds, as a JSON Schema."""
    return HttpResponse(_schema(), content_type="application/schema+json")


@access.signed_in
@require_safe
def own(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponse:
    """The statement of reasons about one's own work, to keep or to hand on."""
    decision = statements.of(submission, by=actor)
    text = json.dumps(statements.statement(decision), ensure_ascii=False, indent=2)
    response = HttpResponse(text + "\n", content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="statement-{decision.pk.hex}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


@access.admins
@require_safe
def office(request: HttpRequest, actor: Actor) -> HttpResponse:
    """How many statements a period has, and where they are to be had."""
    return _office(request, PeriodForm.of(request.GET))


@access.admins
@require_safe
def export(request: HttpRequest, actor: Actor, form: str) -> HttpResponseBase:
    """Those of a period, without names, one a line. They are streamed: there may be many."""
    period = PeriodForm.of(request.GET)
    if not period.is_valid():
        return _office(request, period)
    start, end = period.bounds()
    rows = statements.export(start, end, by=actor)
    lines, kind = (_json(rows), "application/jsonl") if form == "jsonl" else (_csv(rows), "text/csv; charset=utf-8")
    response = StreamingHttpResponse(lines, content_type=kind)
    first, last = (period.cleaned_data[name].isoformat() for name in ("first", "last"))
    response["Content-Disposition"] = f'attachment; filename="statements-{first}-{last}.{form}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _office(request: HttpRequest, form: PeriodForm) -> HttpResponse:
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        rows = statements.between(*form.bounds()).order_by().values_list("verdict")
        counts = dict(rows.annotate(n=Count("pk")))
        context |= {"counts": counts, "total": sum(counts.values()), "period": form.cleaned_data}
    return page(request, "review/program_statements.html", context)


@cache
def _schema() -> bytes:
    return SCHEMA.read_bytes()


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Every field that one of ours can have; what is a list stands in its cell as JSON."""
    cells = ([_cell(row.get(name)) for name in statements.FIELDS] for row in rows)
    return spreadsheets.lines(statements.FIELDS, cells)


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value
