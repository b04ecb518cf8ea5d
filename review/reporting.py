"""The admins' pages about what was reported: the list, one report beside its work, the answers, and the take-down."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from review import publishing, reasons, reports
from review.forms import DeclineForm, TakeDownForm
from review.models import Decision, Publication, Report

SHOWN = ("open", "answered")


@access.admins
@require_safe
def show_reports(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What was reported: what is due first stands first."""
    chosen = request.GET.get("show", "open")
    if chosen == "answered":
        rows = Report.objects.filter(closed_at__isnull=False).order_by(F("closed_at").desc(), "-id")
    else:
        rows = Report.objects.waiting().order_by("due_at", "id")
    found = Paginator(rows.listed(), 50).get_page(request.GET.get("page"))
    for row in found.object_list:
        row.overdue = _overdue(row)  # type: ignore[attr-defined]
    context = {"page": found, "filter": chosen if chosen in SHOWN else "open"}
    return page(request, "review/reports.html", context)


@access.admins
@require_safe
def one_report(request: HttpRequest, actor: Actor, report: UUID) -> HttpResponse:
    return _report(request, actor, _found(report))


@access.admins
@require_POST
def decline(request: HttpRequest, actor: Actor, report: UUID) -> HttpResponseBase:
    """The work stays public, for a reason that the reporter is told."""
    found, form = _found(report), DeclineForm(request.POST)
    if not form.is_valid():
        return _report(request, actor, found, form=form)
    try:
        reports.decline(found, by=actor, **form.cleaned_data)
    except refusals.Refused as refused:
        return _report(request, actor, found, form=form, refusal=refused)
    messages.success(request, "The work stays public, and the answer is on its way.")
    return redirect("/program/reports")


@access.admins
@require_POST
def uphold(request: HttpRequest, actor: Actor, report: UUID) -> HttpResponseBase:
    """First the letter that the artist will get, then, by a second press, the take-down."""
    found, form = _found(report), TakeDownForm(request.POST)
    letter = None
    if form.is_valid():
        try:
            if request.POST.get("step") == "take-down":
                reports.uphold(found, by=actor, reasons=form.reasons(), note=form.cleaned_data["note"])
                messages.success(
                    request, f"“{found.publication.revision.title}” is down, and both letters are on their way."
                )
                return redirect("/program/reports")
            letter = _letter(found.publication, form.reasons(), reported=True)
        except refusals.Refused as refused:
            return _report(request, actor, found, form=form, refusal=refused)
    return _report(request, actor, found, form=form, letter=letter)


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def take_down(request: HttpRequest, actor: Actor, publication: UUID) -> HttpResponseBase:
    """The same without a report: first the letter, then the take-down."""
    found = Publication.objects.listed().filter(pk=publication).first()
    if found is None:
        raise refusals.NotFound
    form = TakeDownForm(request.POST or None)
    letter = refusal = None
    if request.method == "POST" and form.is_valid():
        try:
            if request.POST.get("step") == "take-down":
                publishing.take_down(found, by=actor, reasons=form.reasons(), note=form.cleaned_data["note"])
                messages.success(request, f"“{found.revision.title}” is down, and its artist is told why.")
                return redirect(f"/works/{found.pk.hex}")
            letter = _letter(found, form.reasons(), reported=False)
        except refusals.Refused as refused:
            refusal = refused
    context = {
        "publication": found,
        "revision": found.revision,
        "artist": found.submission.membership.user,
        "take_down_form": form,
        "form": form,
        "clauses": reasons.in_force(),
        "letter": letter,
        "refusal": refusal,
    }
    return page(request, "review/take_down.html", context)


def _letter(publication: Publication, told: reasons.Reasons, *, reported: bool) -> tuple[str, str]:
    """What the artist would get. Raises ReasonsMissing, UnknownClause, WrongState when it is not public any more."""
    told.must_be_whole(publication.revision.output.seconds)
    if publication.state != "published":
        raise refusals.WrongState(publication, "taken_down")
    unsaved = Decision(
        revision=publication.revision,
        verdict="take_down",
        role="take_down",
        clauses=list(told.clauses),
        facts=told.facts.strip(),
        from_seconds=told.from_seconds,
        to_seconds=told.to_seconds,
        region=told.region,
        effective_at=timezone.now(),
    )
    return reasons.letter(unsaved, reported=reported)


def _report(
    request: HttpRequest,
    actor: Actor,
    found: Report,
    *,
    form: Any = None,
    refusal: refusals.Refused | None = None,
    letter: tuple[str, str] | None = None,
) -> HttpResponse:
    publication = found.publication
    artist = publication.submission.membership.user
    waits = found.state in found.WAITING
    takes_down = isinstance(form, TakeDownForm)
    context = {
        "report": found,
        "publication": publication,
        "revision": publication.revision,
        "artist": artist,
        "overdue": _overdue(found),
        "waits": waits,
        "mine": artist == actor.user,
        "declined_it": found.state == "disputed" and found.answered_by_id == (actor.user and actor.user.pk),
        "form": form,
        "decline_form": form if isinstance(form, DeclineForm) else DeclineForm(),
        "take_down_form": form if takes_down else TakeDownForm(),
        "clauses": reasons.in_force(),
        "named": reasons.clauses_of(found.decision) if found.decision else [],
        "letter": letter,
        "refusal": refusal,
    }
    return page(request, "review/report.html", context)


def _found(report: UUID) -> Report:
    found = (
        Report.objects.listed()
        .select_related("publication__submission__membership__user", "publication__revision__output", "decision")
        .filter(pk=report)
        .first()
    )
    if found is None:
        raise refusals.NotFound
    return found


def _overdue(report: Report) -> bool:
    return report.state in report.WAITING and report.due_at < timezone.now()
