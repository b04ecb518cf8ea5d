"""Whether the gateway lives, what it says no with, and where a person goes first."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from gateway import access, pulses, refusals
from gateway.celery import app as celery
from gateway.middleware import refuse


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The web process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Each part of the gateway by name; 503 when one is missing."""
    parts: dict[str, dict[str, Any]] = {
        "database": _probe(_ask_database),
        "broker": _probe(_ask_broker),
    }
    for kind in pulses.KINDS:
        parts[kind] = {"ok": False, "why": "no sign of life in the last 15 seconds"}
    if parts["database"]["ok"]:
        for pulse in pulses.live():
            parts[pulse.kind] = {"ok": True}
    ready = all(part["ok"] for part in parts.values())
    return JsonResponse(parts, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


def _probe(ask: Callable[[], object]) -> dict[str, Any]:
    try:
        ask()
    except Exception as error:  # whatever it is, it is not ready, and this page says why
        return {"ok": False, "why": type(error).__name__}
    return {"ok": True}


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def _ask_broker() -> None:
    with celery.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        broker.default_channel.client.ping()


@require_safe
def refusals_page(request: HttpRequest) -> HttpResponse:
    """Every "no" with its code, where a REST answer's `type` points to."""
    rows = [(kind.word(), kind.status, " ".join((kind.__doc__ or "").split())) for kind in refusals.every()]
    return render(request, "gateway/refusals.html", {"rows": rows})


def too_many(request: HttpRequest) -> HttpResponse:
    """What allauth answers when somebody tries passwords, or has letters sent, too often."""
    response = refuse(request, refusals.TooManyTries())
    response["Retry-After"] = "300"
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """An address that is none: a page for people, JSON for clients."""
    if request.path.startswith("/v1"):
        return refuse(request, refusals.NotFound())
    return render(request, "404.html", status=404)


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """Where a person goes after signing in: to what waits for their hand."""
    actor = access.actor_of(request)
    if actor.is_reviewer:
        return redirect("/review")
    if actor.membership is None and actor.is_admin:
        return redirect("/program")
    return redirect("/dashboard" if actor.user else "/accounts/login/")
