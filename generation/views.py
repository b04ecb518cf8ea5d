"""The studio, and an artist's own files."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, allowances, refusals
from gateway.actors import Actor
from gateway.models import Brake
from gateway.prepared import Statement
from gateway.views import page
from generation import estimates, generations, media, scheduling
from generation import metrics as figures
from generation.forms import StudioForm
from generation.models import Generation, GenerationQuerySet, Output


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def studio(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Write a prompt, see its price, ask for it, watch what is being drawn."""
    models = generations.offered()
    initial = {"prompt": request.GET.get("prompt", "")[:2000]}
    form = StudioForm(request.POST or None, request.FILES or None, models=models, initial=initial)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            generations.submit(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            return redirect("/studio")
    context = {
        "form": form,
        "models": models,
        "takes_picture": [model.name for model in models if model.takes_picture],
        "refusal": refusal,
        "membership": actor.membership,
        "allowance": allowances.current(actor.membership) if actor.membership else None,
        "price": models[0].price(models[0].seconds[0]) if models else None,
        "running": running(actor),
        "mark": "",
        "latest": _mine(actor).filter(state__in=Generation.ENDED).order_by("-id")[:6],
    }
    context["mark"] = mark(context["running"])
    return page(request, "generation/studio.html", context)


@access.signed_in
@require_safe
def live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The part of the studio that changes; 204 when it has not since `seen`, a reload when something has ended."""
    now_running = running(actor)
    seen = request.GET.get("seen", "")
    now = mark(now_running)
    if seen == now:
        return HttpResponse(status=204)
    response = render(request, "generation/parts/live.html", {"running": now_running, "mark": now})
    if _ids(seen) - _ids(now):
        response["HX-Refresh"] = "true"
    return response


@access.signed_in
@require_POST
def cancel(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponseBase:
    generations.cancel(own(actor, generation), by=actor)
    back = request.POST.get("back", "")
    return redirect(back if back == "/studio" else f"/mine/{generation.hex}")


@access.signed_in
@require_POST
def delete(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponseBase:
    generations.delete(own(actor, generation), by=actor)
    messages.success(request, "It is deleted, with its files.")
    return redirect("/mine")


@access.signed_in
@require_safe
def file(request: HttpRequest, actor: Actor, generation: UUID, kind: str) -> HttpResponseBase:
    """The artist's own video, poster or contact sheet."""
    found = own(actor, generation)
    opened = media.open_for(actor, "own work", found.outputs.filter(kind=kind).first())
    name = f"{found.model.slug}-{found.seed}.mp4" if request.GET.get("download") and kind == "video" else ""
    return media.respond(request, opened, download=name)


@access.signed_in
@require_safe
def picture(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponseBase:
    """The picture that the artist's clip begins from."""
    opened = media.open_for(actor, "own picture", own(actor, generation).picture)
    return media.respond(request, opened)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus, to whoever shows METRICS_TOKEN; to everybody else there is nothing here."""
    shown = (access.bearer_of(request) or "").encode()
    if not settings.METRICS_TOKEN or not secrets.compare_digest(shown, settings.METRICS_TOKEN.encode()):
        raise refusals.NotFound
    return HttpResponse(figures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def own(actor: Actor, pk: UUID) -> Generation:
    """The generation with this id and its files, if `actor` may see it. Raises NotFound."""
    found = read(actor, pk, LISTED)
    files = found.outputs.all()  # as prefetch_related would have them
    files._result_cache = FILES.all(pk)
    found._prefetched_objects_cache = {"outputs": files}  # type: ignore[attr-defined]
    return found


def by_id(shown: Callable[[GenerationQuerySet], QuerySet[Generation]]) -> dict[bool, Statement[Generation]]:
    """How one of an artist's is read by its id; to a test token, one of the tests."""

    def statement(tests_only: bool) -> Statement[Generation]:
        mine = Generation.objects.of_artist
        return Statement(lambda user, pk: shown(mine(user, tests_only=tests_only)).filter(pk=pk), UUID, UUID)

    return {tests_only: statement(tests_only) for tests_only in (False, True)}


LISTED = by_id(lambda mine: mine.listed())
FILES = Statement(lambda generation: Output.objects.filter(generation=generation), UUID)


def read(actor: Actor, pk: UUID, how: dict[bool, Statement[Generation]]) -> Generation:
    """The generation with this id, read in one of the ways of `by_id`, if `actor` may see it. Raises NotFound."""
    found = how[actor.is_test].first(actor.user.pk, pk) if actor.user is not None else None
    if found is None:
        raise refusals.NotFound
    return found


def running(actor: Actor) -> list[Any]:
    """What is waiting or being drawn for `actor`, each as `with_places` tells it."""
    return with_places(list(_mine(actor).exclude(state__in=Generation.ENDED).order_by("id")))


def with_places(rows: list[Any]) -> list[Any]:
    """Give each row its `position` in line, its `eta`, about how many seconds until its clip is there, and the `brake`
    that holds it, None where there is none; and `waits`, why it is not being drawn yet."""
    held = _brakes_on([row for row in rows if row.state == "queued"])
    found = estimates.outlooks(rows)
    for row in rows:
        outlook = found.get(row.pk, estimates.Outlook())
        row.brake = held.get(row.pk)
        row.absent = ABSENT if outlook.absent else None
        row.position = outlook.place
        row.eta = estimates.about(outlook.seconds) if outlook.seconds is not None else None
        row.waits = _waits(outlook)
    return rows


ABSENT = "No machine has this model’s files; it waits until one has."


def _waits(outlook: estimates.Outlook) -> str:
    if outlook.absent:
        return ABSENT.rstrip(".")
    if outlook.further:
        return f"Behind more than {scheduling.FURTHEST:,} others"
    if outlook.place is None:
        return "Waits for a machine"
    return "Next in line" if outlook.place == 1 else f"Number {outlook.place} in line"


def _brakes_on(rows: list[Any]) -> dict[UUID, Brake]:
    """What holds each of these rows, in one query."""
    if not rows:
        return {}
    touched = {row.pk: set(row.targets.values()) - {None} for row in rows}
    wanted = {target for targets in touched.values() for target in targets}
    found = list(Brake.objects.in_force().filter(Q(scope="all") | Q(target__in=wanted)).order_by("-id"))
    return {
        pk: brake
        for pk, targets in touched.items()
        for brake in found
        if brake.scope == "all" or brake.target in targets
    }


def mark(rows: list[Any]) -> str:
    """What a page has seen: the ids, and a digest of all that it shows."""
    shown = "|".join(
        f"{row.pk.hex},{row.state},{row.step},{row.waits},{row.eta},{row.brake and row.brake.pk}" for row in rows
    )
    return "-".join([hashlib.sha256(shown.encode()).hexdigest()[:12], *(row.pk.hex for row in rows)])


def _ids(seen: str) -> set[str]:
    return set(seen.split("-")[1:])


def _mine(actor: Actor) -> Any:
    return Generation.objects.visible_to(actor).listed()
