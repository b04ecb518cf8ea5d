"""The admins' pages about works that are private: figures for all, clip and prompt for a reason."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from generation import media
from generation.models import Generation
from review import openings
from review.forms import OpeningForm
from review.models import Opening


@access.admins
@require_safe
def works(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Find works by their artist or their id; who opened which lately."""
    asked = request.GET.get("q", "").replace("\0", "").strip()
    context = {
        "asked": asked,
        "found": _found(asked)[:50] if asked else [],
        "openings": Opening.objects.select_related("admin", "generation__membership__user").order_by("-id")[:50],
    }
    return page(request, "review/private_works.html", context)


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def work(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponseBase:
    """A work's figures; its clip and prompt while one has it open."""
    found = _work(generation)
    form = OpeningForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        openings.begin(found, by=actor, reason=form.cleaned_data["reason"])
        return redirect(f"/program/works/{generation.hex}")
    context = {
        "generation": found,
        "output": found.output("video"),
        "submission": found.submissions.select_related("publication").order_by("-id").first(),
        "opening": openings.look(found, by=actor),
        "openings": Opening.objects.filter(generation=found).select_related("admin").order_by("-id")[:50],
        "form": form,
    }
    return page(request, "review/private_work.html", context)


@access.admins
@require_safe
def file(request: HttpRequest, actor: Actor, generation: UUID, kind: str) -> HttpResponseBase:
    """The work's file, while one has it open."""
    found = _work(generation)
    openings.look(found, by=actor)
    opened = media.open_for(actor, "opened", found.output(kind), under=openings.live(actor))
    return media.respond(request, opened)


def _work(pk: UUID) -> Generation:
    found = Generation.objects.listed().filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def _found(asked: str) -> Any:
    about = Q(membership__user__name__icontains=asked) | Q(membership__user__email__icontains=asked)
    try:
        about |= Q(pk=UUID(hex=asked.rpartition("_")[2].rpartition("/")[2]))
    except ValueError:
        pass
    return Generation.objects.listed().filter(about).order_by("-id")
