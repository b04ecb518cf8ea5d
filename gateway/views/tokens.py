"""A person's own tokens."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals, tokens
from gateway.actors import Actor
from gateway.forms.tokens import RotationForm, TokenForm
from gateway.models import Token
from gateway.views.pages import page


@access.signed_in
@require_safe
def keys_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _keys(request, actor, _token_form(actor))


@access.signed_in
@require_POST
def issue_token(request: HttpRequest, actor: Actor) -> HttpResponse:
    form = _token_form(actor, request.POST)
    if not form.is_valid():
        return _keys(request, actor, form)
    try:
        _, secret = tokens.issue(by=actor, **form.facts())
    except refusals.Refused as refused:
        return _keys(request, actor, form, refusal=refused)
    return _keys(request, actor, _token_form(actor), secret=secret)


@access.signed_in
@require_POST
def rotate_token(request: HttpRequest, actor: Actor, token: UUID) -> HttpResponse:
    found = _own(actor, token)
    form = RotationForm(request.POST)
    hours = form.cleaned_data["overlap_hours"] if form.is_valid() else form.fields["overlap_hours"].initial
    _, secret = tokens.rotate(found, by=actor, overlap_hours=hours)
    return _keys(request, actor, _token_form(actor), secret=secret, replaced=found)


@access.signed_in
@require_POST
def revoke_token(request: HttpRequest, actor: Actor, token: UUID) -> HttpResponseBase:
    found = _own(actor, token)
    tokens.revoke(found, by=actor)
    messages.success(request, f"“{found.label}” is revoked: its next request is refused.")
    return redirect("/access")


def _own(actor: Actor, token: UUID) -> Token:
    found = tokens.visible_to(actor).filter(pk=token).first()
    if found is None:
        raise refusals.NotFound
    return found


def _token_form(actor: Actor, data: Any = None) -> TokenForm:
    return TokenForm(data, reviewer=actor.is_reviewer, member=actor.membership is not None)


def _keys(request: HttpRequest, actor: Actor, form: TokenForm, **told: Any) -> HttpResponse:
    mine = tokens.visible_to(actor).select_related("replaced_by").order_by("-created_at")[:100]
    context = {"tokens": mine, "now": timezone.now(), "form": form, "rotation": RotationForm(), **told}
    response = page(request, "gateway/access.html", context)
    response["Cache-Control"] = "no-store"
    return response
