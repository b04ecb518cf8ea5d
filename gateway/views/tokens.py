"""A person's own tokens."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals, tokens
from gateway.actors import Actor
from gateway.forms.tokens import TokenForm
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
    _, secret = tokens.issue(by=actor, **form.cleaned_data)
    return _keys(request, actor, _token_form(actor), secret=secret)


@access.signed_in
@require_POST
def revoke_token(request: HttpRequest, actor: Actor, token: UUID) -> HttpResponseBase:
    found = Token.objects.filter(pk=token, user=actor.user).first()
    if found is None:
        raise refusals.NotFound
    tokens.revoke(found, by=actor)
    messages.success(request, f"“{found.label}” is revoked: its next request is refused.")
    return redirect("/access")


def _token_form(actor: Actor, data: Any = None) -> TokenForm:
    return TokenForm(data, reviewer=actor.is_reviewer, member=actor.membership is not None)


def _keys(request: HttpRequest, actor: Actor, form: TokenForm, secret: str = "") -> HttpResponse:
    mine = Token.objects.filter(user=actor.user).order_by("-created_at")[:100]
    response = page(request, "gateway/access.html", {"tokens": mine, "form": form, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response
