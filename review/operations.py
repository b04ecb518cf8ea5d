"""The admin's pages: what waits for them, and brakes: what is stopped, what one would stop, pull it, let go."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.models import Brake
from gateway.views import page
from review import overview, radius
from review.forms import BrakeForm


@access.admins
@require_safe
def show_program(request: HttpRequest, actor: Actor) -> HttpResponse:
    return render(request, "review/program.html", {"rooms": overview.rooms()})


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def show_brakes(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """First what it would stop, then, by a second press, the brake itself."""
    form = BrakeForm(
        request.POST or None, initial={"scope": request.GET.get("scope"), "which": request.GET.get("which")}
    )
    preview: radius.Radius | None = None
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            if request.POST.get("step") == "pull":
                brake = radius.pull(by=actor, **asked)
                messages.success(request, f"The brake on {brake.label} is pulled.")
                return redirect("/program/brakes")
            target, label = radius.find(asked["scope"], asked["which"])
            preview = radius.of(asked["scope"], target, label)
        except refusals.Refused as refused:
            refusal = refused
    return _page(request, form, preview, refusal)


@access.admins
@require_POST
def release_brake(request: HttpRequest, actor: Actor, brake: UUID) -> HttpResponseBase:
    found = Brake.objects.filter(pk=brake).first()
    if found is None:
        raise refusals.NotFound
    radius.release(found, by=actor, why=request.POST.get("why", "")[:2000])
    messages.success(request, f"The brake on {found.label} is released.")
    return redirect("/program/brakes")


def _page(request: HttpRequest, form: BrakeForm, preview: Any, refusal: refusals.Refused | None) -> HttpResponse:
    pulled = Brake.objects.in_force().select_related("pulled_by").order_by("-id")
    before = Brake.objects.exclude(pk__in=pulled.values("pk")).select_related("pulled_by", "released_by")
    context = {
        "form": form,
        "preview": preview,
        "refusal": refusal,
        "pulled": pulled[:100],
        "before": before.order_by("-id")[:50],
    }
    return page(request, "review/brakes.html", context)
