"""The admins' page of the machines that draw."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from generation import fleet, room
from generation.models import Worker


@access.admins
@require_safe
def show_fleet(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Each worker and what it does, each pool and what waits in it."""
    machines = fleet.machines()
    context = {
        "machines": machines,
        "lines": fleet.lines(machines),
        "too_little": None if room.enough() else settings.MIN_FREE_MB,
    }
    return render(request, "generation/fleet.html", context)


@access.admins
@require_POST
def drain(request: HttpRequest, actor: Actor, worker: UUID) -> HttpResponseBase:
    found = _worker(worker)
    fleet.drain(found, by=actor)
    messages.success(request, f"{found} finishes what it draws and claims nothing more.")
    return redirect("/program/fleet")


@access.admins
@require_POST
def resume(request: HttpRequest, actor: Actor, worker: UUID) -> HttpResponseBase:
    found = _worker(worker)
    fleet.resume(found, by=actor)
    messages.success(request, f"{found} claims again.")
    return redirect("/program/fleet")


def _worker(pk: UUID) -> Worker:
    """Raises NotFound for one that has gone."""
    found = Worker.objects.filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found
