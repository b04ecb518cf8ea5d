"""What looks like a leak: its owner's page, and the program's."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, canaries, refusals, sightings
from gateway.actors import Actor
from gateway.forms.sightings import AnswerForm, CanaryForm, ExplanationForm
from gateway.models import Canary, Sighting
from gateway.views.pages import page


@access.signed_in
@require_safe
def own_sightings(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What was seen of one's own credentials, latest first."""
    rows = Paginator(sightings.of(actor).order_by("-id"), 30).get_page(request.GET.get("page"))
    return render(request, "gateway/sightings.html", {"page": rows})


@access.signed_in
@require_safe
def own_sighting(request: HttpRequest, actor: Actor, sighting: UUID) -> HttpResponse:
    return _own(request, _found(sightings.of(actor), sighting), ExplanationForm())


@access.signed_in
@require_POST
def explain(request: HttpRequest, actor: Actor, sighting: UUID) -> HttpResponseBase:
    """It was me."""
    found, form = _found(sightings.of(actor), sighting), ExplanationForm(request.POST)
    if not form.is_valid():
        return _own(request, found, form)
    if sightings.explain(found, form.cleaned_data["explanation"], by=actor):
        messages.success(request, "Thank you. It works again.")
    else:
        messages.success(request, "Thank you. An admin reads it and lets go: you explained another one lately.")
    return redirect(f"/access/sightings/{found.pk.hex}")


@access.signed_in
@require_POST
def rotate(request: HttpRequest, actor: Actor, sighting: UUID) -> HttpResponseBase:
    """It was not me."""
    found = _found(sightings.of(actor), sighting)
    secret = sightings.rotate(found, by=actor, keep=request.session.session_key or "")
    return _own(request, found, ExplanationForm(), secret=secret)


@access.admins
@require_safe
def all_sightings(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What waits for a person, and what was answered."""
    rows = sightings.visible_to(actor)
    answered = Paginator(rows.exclude(state="open").order_by("-id"), 30).get_page(request.GET.get("page"))
    waiting = rows.filter(state="open").order_by("-explained_at", "-id")[:100]
    return render(request, "gateway/program_sightings.html", {"waiting": waiting, "page": answered})


@access.admins
@require_safe
def one_sighting(request: HttpRequest, actor: Actor, sighting: UUID) -> HttpResponse:
    return _one(request, _found(sightings.visible_to(actor), sighting), AnswerForm())


@access.admins
@require_POST
def answer(request: HttpRequest, actor: Actor, sighting: UUID, verdict: str) -> HttpResponseBase:
    """An admin has looked: a leak, or none."""
    found, form = _found(sightings.visible_to(actor), sighting), AnswerForm(request.POST)
    if not form.is_valid():
        return _one(request, found, form)
    if verdict == "confirm":
        sightings.confirm(found, by=actor, answer=form.cleaned_data["answer"])
        messages.success(request, f"Confirmed: {found.label} is ended.")
    else:
        sightings.dismiss(found, by=actor, answer=form.cleaned_data["answer"])
        messages.success(request, f"Dismissed: {found.label} works.")
    return redirect("/program/sightings")


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def canaries_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Plant a canary, and see which have sung."""
    form, secret = CanaryForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        _, secret = canaries.plant(form.cleaned_data["label"], by=actor)
        form = CanaryForm()
    planted = Canary.objects.select_related("planted_by").order_by("-id")[:100]
    response = page(request, "gateway/canaries.html", {"form": form, "secret": secret, "canaries": planted})
    response["Cache-Control"] = "no-store"
    return response


def _found(rows: Any, pk: UUID) -> Sighting:
    found: Sighting | None = rows.filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def _own(request: HttpRequest, found: Sighting, form: ExplanationForm, secret: str = "") -> HttpResponse:
    response = page(request, "gateway/sighting.html", {"sighting": found, "form": form, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response


def _one(request: HttpRequest, found: Sighting, form: AnswerForm) -> HttpResponse:
    return page(request, "gateway/program_sighting.html", {"sighting": found, "form": form})
