"""A person's own webhook endpoints."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from gateway import access, refusals, webhooks
from gateway.actors import Actor
from gateway.forms.webhooks import EndpointForm, SecretForm
from gateway.models import WebhookEndpoint
from gateway.views.pages import page


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def endpoints(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What there is, and another one; its secret is shown this once."""
    form, refusal = EndpointForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = webhooks.create(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            return _one(request, made, secret=secret)
    mine = webhooks.visible_to(actor).order_by("-id")
    context = {"form": form, "refusal": refusal, "endpoints": mine, "most": webhooks.MOST}
    return page(request, "gateway/webhooks.html", context)


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint(request: HttpRequest, actor: Actor, endpoint: UUID) -> HttpResponseBase:
    """One of them, and what was sent there; a POST changes it."""
    found = _own(actor, endpoint)
    if request.method != "POST":
        return _one(request, found)
    form = EndpointForm(request.POST)
    if not form.is_valid():
        return _one(request, found, form=form)
    try:
        webhooks.change(found, by=actor, **form.cleaned_data)
    except refusals.Refused as refused:
        return _one(request, found, form=form, refusal=refused)
    messages.success(request, "Changed.")
    return redirect(_path(found))


@access.signed_in
@require_POST
def rotate(request: HttpRequest, actor: Actor, endpoint: UUID) -> HttpResponse:
    found, form = _own(actor, endpoint), SecretForm(request.POST)
    hours = form.cleaned_data["overlap_hours"] if form.is_valid() else form.fields["overlap_hours"].initial
    secret = webhooks.rotate(found, by=actor, overlap_hours=hours)
    return _one(request, found, secret=secret, rotated=True)


@access.signed_in
@require_POST
def test(request: HttpRequest, actor: Actor, endpoint: UUID) -> HttpResponseBase:
    found = _own(actor, endpoint)
    webhooks.test(found, by=actor)
    messages.success(request, "A test is on its way. Look again in a moment: what came of it stands below.")
    return redirect(_path(found))


@access.signed_in
@require_POST
def switch(request: HttpRequest, actor: Actor, endpoint: UUID, status: str) -> HttpResponseBase:
    """Enable it, or stop it."""
    found = _own(actor, endpoint)
    webhooks.change(found, by=actor, status=status)
    return redirect(_path(found))


@access.signed_in
@require_POST
def remove(request: HttpRequest, actor: Actor, endpoint: UUID) -> HttpResponseBase:
    found = _own(actor, endpoint)
    webhooks.remove(found, by=actor)
    messages.success(request, f"“{found.name}” is removed: nothing more is sent there.")
    return redirect(webhooks.PATH)


@access.signed_in
@require_POST
def replay(request: HttpRequest, actor: Actor, endpoint: UUID, delivery: UUID) -> HttpResponseBase:
    found = _own(actor, endpoint)
    sent = webhooks.deliveries(found).select_related("endpoint__user").filter(pk=delivery).first()
    if sent is None:
        raise refusals.NotFound
    webhooks.replay(sent, by=actor)
    messages.success(request, "It is sent again, under the same id.")
    return redirect(_path(found))


def _own(actor: Actor, pk: UUID) -> WebhookEndpoint:
    found = webhooks.visible_to(actor).select_related("user").filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def _path(found: WebhookEndpoint) -> str:
    return f"{webhooks.PATH}/{found.pk.hex}"


def _one(request: HttpRequest, found: WebhookEndpoint, **told: Any) -> HttpResponse:
    now = {"url": found.url, "name": found.name, "event_types": found.event_types}
    sent = Paginator(webhooks.deliveries(found).order_by("-id"), 30).get_page(request.GET.get("page"))
    context = {"form": EndpointForm(initial=now), "secret_form": SecretForm(), "page": sent, "endpoint": found, **told}
    context["two"] = webhooks.in_rotation(found)
    response = page(request, "gateway/webhook.html", context)
    response["Cache-Control"] = "no-store"
    return response
