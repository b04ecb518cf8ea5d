"""What is a reviewer's own: their record, their keys, whom they know; and how a clause was read before."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from review import conflicts, precedents, reasons, shortcuts, statistics
from review.desk.shown import SAID, around, said
from review.forms import KeysForm
from review.models import Clause, Conflict

VERDICTS = ("approve", "request_changes", "reject", "take_down")


@access.reviewers
@require_safe
def record(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One's own figures, and nobody else's."""
    reviewer = actor.must_be_reviewer()
    found = statistics.of(reviewer)
    context = {
        **around(request, actor),
        "record": found,
        "held": _span(found.median_held),
        "waited": _span(found.median_waited),
        "answered": [(SAID.get(row.verdict, row.verdict), row) for row in found.answered],
        "conflicts": conflicts.named_by(reviewer),
        "days": statistics.DAYS,
    }
    return page(request, "review/record.html", context)


@access.reviewers
@require_POST
def lift_conflict(request: HttpRequest, actor: Actor, conflict: UUID) -> HttpResponseBase:
    """I don't know this artist any more, or it was a slip."""
    found = Conflict.objects.filter(pk=conflict, named_by=actor.user).first()
    if found is None:
        raise refusals.NotFound
    conflicts.lift(found, by=actor)
    return redirect("/review/record")


@access.reviewers
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Which key does what: a page of its own for who has no scripts, and where the dialog's form goes."""
    preferences = shortcuts.preferences(actor.must_be_reviewer())
    shared = around(request, actor) | {"return_to": _return_to(request)}
    if request.method != "POST":
        return page(request, "review/keys.html", shared)
    form = KeysForm(request.POST, preferences=preferences)
    shared["form"] = shared["keys_form"] = form
    if not form.is_valid():
        return page(request, "review/keys.html", shared)
    usual = "usual" in request.POST
    try:
        shortcuts.choose(
            by=actor,
            keys={} if usual else form.keys(),
            on=form.cleaned_data["keys_on"],
        )
    except refusals.Refused as refusal:
        return page(request, "review/keys.html", shared | {"refusal": refusal})
    messages.success(request, "Every key is as usual again." if usual else "Your keys are kept.")
    return redirect(shared["return_to"])


@access.reviewers
@require_safe
def clause_precedents(request: HttpRequest, actor: Actor, number: int) -> HttpResponse:
    """The answers of the last months that name a clause: facts, place and verdict, and nothing of whose work it was."""
    clause = Clause.objects.filter(number=number).order_by("-version").first()
    if clause is None:
        raise refusals.NotFound
    verdict = request.GET.get("show", "")
    rows = precedents.of(number)
    if verdict in VERDICTS:
        rows = rows.filter(verdict=verdict)
    found = Paginator(rows, 24).get_page(request.GET.get("page"))
    for decision in found:
        decision.said, decision.place = said(decision), reasons.place(decision)  # type: ignore[attr-defined]
    context = {
        **around(request, actor),
        "clause": clause,
        "page": found,
        "verdict": verdict if verdict in VERDICTS else "",
        "filters": [("", "All"), *((name, SAID[name]) for name in VERDICTS)],
        "days": precedents.DAYS,
    }
    return page(request, "review/precedents.html", context)


def _return_to(request: HttpRequest) -> str:
    """Where the form was opened: a page of the review's."""
    asked = request.POST.get("return_to", "")
    return asked if asked.startswith(("/review/", "/review?")) or asked == "/review" else "/review/keys"


def _span(time: timedelta | None) -> str:
    """A length of time as one says it."""
    if time is None:
        return ""
    minutes = round(time.total_seconds() / 60)
    if minutes < 1:
        return f"{round(time.total_seconds())} s"
    hours, days = minutes // 60, minutes // 1440
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if days < 2 else f"{days} days {hours % 24} h"
