"""An admin looks as an artist; the artist sees who did."""

from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, impersonations, refusals
from gateway.actors import Actor
from gateway.forms.impersonations import LookForm
from gateway.models import Impersonation, User
from gateway.views.pages import page


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def looking(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Find an artist, say why, look as them; and who looked before."""
    form = LookForm(request.POST or None)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = impersonations.begin(form.cleaned_data["artist"], by=actor, reason=form.cleaned_data["reason"])
        except refusals.Refused as refused:
            refusal = refused
        else:
            request.session[access.VISIT] = made.pk.hex
            return redirect("/dashboard")
    asked = request.GET.get("q", "").replace("\0", "").strip()
    found = impersonations.artists().filter(Q(name__icontains=asked) | Q(email__icontains=asked))[:20] if asked else []
    context = {
        "form": form,
        "refusal": refusal,
        "asked": asked,
        "found": found,
        "chosen": _chosen(request.POST.get("artist") or request.GET.get("artist", "")),
        "visits": Impersonation.objects.select_related("admin", "artist").order_by("-created_at")[:100],
    }
    return page(request, "gateway/impersonation.html", context)


@access.signed_in
@require_POST
def end(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Back to oneself. Nothing to end, because the time was up, is no error."""
    if actor.impersonation is not None:
        impersonations.end(actor.impersonation, by=actor)
    request.session.pop(access.VISIT, None)
    return redirect("/program/impersonation" if actor.impersonation or actor.is_admin else "/home")


@access.signed_in
@require_safe
def visits(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Who looked as this person, when, why, and at what."""
    rows = list(Impersonation.objects.select_related("admin").filter(artist=actor.user).order_by("-created_at")[:50])
    looks = impersonations.seen(rows)
    for row in rows:
        row.looks = looks[row.pk]  # type: ignore[attr-defined]
    return render(request, "gateway/visits.html", {"visits": rows})


def _chosen(text: str) -> User | None:
    try:
        return impersonations.artists().filter(pk=UUID(text)).first()
    except ValueError:
        return None
