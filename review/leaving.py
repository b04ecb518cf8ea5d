"""Pages on which one takes everything along, leaves, and goes for good; and what is left of somebody who has gone."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, members, refusals
from gateway.actors import Actor
from gateway.models import Departure, Export
from gateway.views import page
from review import departure, dossier
from review.forms import LeaveForm


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What is in a dossier, how large it will be, and the button that makes one."""
    refusal: refusals.Refused | None = None
    if request.method == "POST":
        try:
            return answer(dossier.begin(by=actor), actor)
        except refusals.Refused as refused:
            refusal = refused
    context: dict[str, Any] = {"size": dossier.size(actor), "exports": dossier.lately(actor)[:10], "refusal": refusal}
    return page(request, "review/export.html", context)


def answer(made: Export, actor: Actor) -> HttpResponseBase:
    """The dossier on its way; a part of it can't be asked for, because it is kept nowhere."""
    response = StreamingHttpResponse(dossier.stream(made, by=actor), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{dossier.name(made)}"'
    response["Cache-Control"] = "private, no-store"
    response["Accept-Ranges"] = "none"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Three ways to go, what stays of each and why, before one does."""
    assert actor.user is not None
    how = (request.POST if request.method == "POST" else request.GET).get("how", "")
    how = how if how in Departure.KINDS else ""
    public = departure.on_view(actor.user) if how else 0
    form = LeaveForm(request.POST or None, how=how, public=public)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            if how:
                departure.ask(by=actor, kind=how, keeps_public=form.cleaned_data.get("keeps_public", False))
            else:
                members.leave(by=actor)
        except refusals.Refused as refused:
            refusal = refused
        else:
            return redirect("/leave" if how else "/membership")
    asked = departure.open_of(actor)
    context = {
        "membership": actor.membership,
        "how": how,
        "public": public,
        "asked": asked,
        "days": settings.DEPARTURE_DAYS,
        "stays": _stays(actor, asked, how),
        "form": form,
        "refusal": refusal,
    }
    return page(request, "review/leave.html", context)


@access.signed_in
@require_POST
def stay(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """A change of mind."""
    asked = departure.open_of(actor)
    if asked is None:
        raise refusals.NotFound
    departure.cancel(asked, by=actor)
    messages.success(request, "You stay, and nothing is erased.")
    return redirect("/home")


@require_safe
def departed(request: HttpRequest, secret: str) -> HttpResponse:
    """What is still on view of somebody who has gone, for whoever has the link of their last letter."""
    found = departure.find(secret)
    context = {"publications": departure.left(found)[:200], "secret": secret}
    response = page(request, "review/departed.html", context)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response


@require_POST
def take_back(request: HttpRequest, secret: str) -> HttpResponseBase:
    """One work, or all that is left."""
    found = departure.find(secret)
    asked = request.POST.get("publication", "")
    try:
        departure.take_back(found, UUID(hex=asked) if asked else None)
    except ValueError:
        raise refusals.NotFound from None
    messages.success(request, "Taken back: it is off view.")
    return redirect(f"/departed/{secret}")


def _stays(actor: Actor, asked: Departure | None, how: str) -> departure.Stays | None:
    assert actor.user is not None
    if asked is not None:
        return departure.what_stays(actor.user, asked.kind, keeps_public=asked.keeps_public)
    return departure.what_stays(actor.user, how) if how else None
