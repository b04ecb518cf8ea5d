"""The artist's guest passes: issue one, see what was used of it, turn its switch, take it back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from gateway import access, allowances, guest_passes, refusals
from gateway.actors import Actor
from gateway.models import GuestPass
from gateway.views import page
from generation import guests
from generation.forms import GuestPassForm

PAGE = "/access/guest-passes"


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def passes(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Lend a part of the allowance by link; the link is shown this once."""
    models = list(guests.lendable())
    form = GuestPassForm(request.POST or None, models=models)
    refusal: refusals.Refused | None = None
    link = ""
    if request.method == "POST" and form.is_valid():
        try:
            _, secret = guests.lend(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            link, form = link_of(secret), GuestPassForm(models=models)
    context: dict[str, Any] = {
        "form": form,
        "refusal": refusal,
        "link": link,
        "membership": actor.membership,
        "allowance": allowances.current(actor.membership) if actor.membership else None,
        "several": len(models) > 1,
        "passes": [
            (row, guests.standing(row)) for row in guests.with_use(guest_passes.visible_to(actor)).order_by("-id")[:100]
        ],
    }
    response = page(request, "generation/guest_passes.html", context)
    response["Cache-Control"] = "no-store"
    return response


@access.signed_in
@require_POST
def revoke(request: HttpRequest, actor: Actor, guest_pass: UUID) -> HttpResponseBase:
    found = own(actor, guest_pass)
    guests.revoke(found, by=actor)
    messages.success(request, f"“{found.label}” is taken back: its link, its clips and what was being drawn stopped.")
    return redirect(PAGE)


@access.signed_in
@require_POST
def switch(request: HttpRequest, actor: Actor, guest_pass: UUID) -> HttpResponseBase:
    """Guests may download, or no longer."""
    guest_passes.allow_downloads(own(actor, guest_pass), request.POST.get("may_download") == "yes", by=actor)
    return redirect(PAGE)


def own(actor: Actor, pk: UUID) -> GuestPass:
    """The pass with this id and what was used of it, if `actor` lent it. Raises NotFound."""
    found = guests.with_use(guest_passes.visible_to(actor)).select_related("membership").filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def link_of(secret: str) -> str:
    """The address that an artist hands on."""
    return f"{settings.BASE_URL}/g/{secret}"
