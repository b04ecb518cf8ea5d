"""The page on which artists and reviewers say who must not judge whose works."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from review import conflicts
from review.forms import AddressForm, StudioForm
from review.models import Conflict


@access.signed_in
@require_safe
def interests(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _page(request, actor)


@access.signed_in
@require_POST
def set_studio(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    form = StudioForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, studio=form)
    conflicts.set_studio(form.cleaned_data["studio"], by=actor)
    messages.success(request, "Saved. It holds from the next work on that anybody takes.")
    return redirect("/access/conflicts")


@access.signed_in
@require_POST
def name(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Name somebody by address. The answer is the same whoever has it, and when nobody does."""
    form = AddressForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, form=form)
    as_reviewer = form.cleaned_data["side"] == "reviewer"
    try:
        made = conflicts.name_address(form.cleaned_data["email"], by=actor, as_reviewer=as_reviewer)
    except refusals.Refused as refusal:
        return _page(request, actor, form=form, refusal=refusal)
    said = "You get no work of theirs" if as_reviewer else "They get no work of yours"
    messages.success(request, f"{made.email} is noted. {said}, if they are here or come later.")
    return redirect("/access/conflicts")


@access.signed_in
@require_POST
def lift(request: HttpRequest, actor: Actor, conflict: UUID) -> HttpResponseBase:
    found = Conflict.objects.filter(pk=conflict, named_by=actor.user).first()
    if found is None:
        raise refusals.NotFound
    conflicts.lift(found, by=actor)
    messages.success(request, "Lifted.")
    return redirect("/access/conflicts")


def _page(
    request: HttpRequest,
    actor: Actor,
    *,
    form: AddressForm | None = None,
    studio: StudioForm | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    assert actor.user is not None
    makes = actor.membership is not None or actor.former is not None
    sides = [side for side, holds in (("artist", makes), ("reviewer", actor.is_reviewer)) if holds]
    context = {
        "form": form or studio,
        "studio": studio or StudioForm(initial={"studio": actor.user.studio}),
        "sides": [
            {
                "name": side,
                "named": conflicts.addresses(actor.user, as_reviewer=side == "reviewer"),
                "form": form if form is not None and form.data.get("side") == side else AddressForm(),
                "known": conflicts.named_by(actor.user) if side == "reviewer" else (),
                "refusal": refusal if form is not None and form.data.get("side") == side else None,
            }
            for side in sides
        ],
        "refusal": refusal,
    }
    return page(request, "review/conflicts.html", context)
