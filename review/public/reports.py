"""The form by which anybody reports a published work, and the page on which they read the answer."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, addresses, refusals
from gateway.views import page
from review import reasons, reports
from review.forms import DisputeForm, ReportForm
from review.public.answers import must_be_on_view


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest, publication: UUID) -> HttpResponseBase:
    """Report a work that is on view. Raises NotFound, NotShownNow, GoneByItsArtist, TakenDown."""
    found = must_be_on_view(publication)
    form = ReportForm(request.POST or None)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        by, sender = access.actor_of(request), addresses.of(request)
        try:
            _, secret = reports.file(found, by=by, sender=sender, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            return redirect(f"/reports/{secret}")
    context = {"publication": found, "revision": found.revision, "form": form, "refusal": refusal}
    response = page(request, "public/report.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def status(request: HttpRequest, secret: str) -> HttpResponse:
    """Where one's report stands, and its answer."""
    return _status(request, secret)


@require_POST
def withdraw(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Take one's report back."""
    reports.withdraw(reports.find(secret), by=access.actor_of(request))
    messages.success(request, "You took your report back.")
    return redirect(f"/reports/{secret}")


@require_POST
def dispute(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Ask that somebody else looks at it again."""
    found, form = reports.find(secret), DisputeForm(request.POST)
    if not form.is_valid():
        return _status(request, secret, form=form)
    try:
        reports.dispute(found, by=access.actor_of(request), **form.cleaned_data)
    except refusals.Refused as refused:
        return _status(request, secret, form=form, refusal=refused)
    messages.success(request, "Somebody else will look at it.")
    return redirect(f"/reports/{secret}")


def _status(request: HttpRequest, secret: str, **more: Any) -> HttpResponse:
    found = reports.find(secret)
    waits = found.state in found.WAITING
    context = {
        "report": found,
        "secret": secret,
        "revision": found.publication.revision,
        "waits": waits,
        "overdue": waits and found.due_at < timezone.now(),
        "can": reports.open_to(found),
        "clauses": reasons.clauses_of(found.decision) if found.decision else [],
        "form": DisputeForm(),
        **more,
    }
    response = page(request, "public/report_status.html", context)
    response["Cache-Control"] = "no-store"
    return response
