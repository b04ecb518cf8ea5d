"""The public form that asks for access, the page of one request, and the admins' answers."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, access_requests, addresses, refusals
from gateway.actors import Actor
from gateway.forms.access_requests import AcceptForm, AskForm, DeclineForm, DoorForm
from gateway.models import AccessRequest
from gateway.views.pages import page

SHOWN = ("open", "answered")


@require_http_methods(["GET", "HEAD", "POST"])
def apply(request: HttpRequest) -> HttpResponseBase:
    """Ask for access, while the program takes requests; else this page says how people come in."""
    form = AskForm(request.POST or None)
    refusal: refusals.Refused | None = None
    door = access_requests.program()
    if request.method == "POST":
        if not door.takes_requests:
            raise refusals.RequestsClosed
        if form.is_valid():
            try:
                access_requests.ask(by=access.actor_of(request), sender=addresses.of(request), **form.cleaned_data)
            except refusals.Refused as refused:
                refusal = refused
            else:
                return redirect("/apply?sent=1")
    days = round(door.request_hours / 24)
    told = f"{days} day{'s' if days > 1 else ''}" if days else f"{door.request_hours} hours"
    context = {"form": form, "door": door, "hours_told": told, "sent": "sent" in request.GET, "refusal": refusal}
    response = page(request, "gateway/apply.html", context)
    if response.status_code == refusals.AskedTooOften.status:
        response["Retry-After"] = "3600"
    return response


@require_safe
def status(request: HttpRequest, secret: str) -> HttpResponse:
    """Where one's request stands."""
    found = access_requests.find(secret)
    context = {"asked": found, "secret": secret, "overdue": _overdue(found)}
    response = render(request, "gateway/request_status.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def withdraw(request: HttpRequest, secret: str) -> HttpResponseBase:
    found = access_requests.find(secret)
    access_requests.withdraw(found, by=access.actor_of(request))
    messages.success(request, "You took your request back.")
    return redirect(f"/apply/{secret}")


@access.admins
@require_safe
def requests(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Who asks for access: what is due first stands first."""
    return _requests(request)


@access.admins
@require_POST
def set_door(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    form = DoorForm(request.POST)
    if not form.is_valid():
        return _requests(request, form)
    access_requests.set_door(by=actor, **form.cleaned_data)
    opened = form.cleaned_data["takes_requests"]
    messages.success(request, "Anybody may ask for access now." if opened else "Requests are closed.")
    return redirect("/program/requests")


@access.admins
@require_safe
def one_request(request: HttpRequest, actor: Actor, asked: UUID) -> HttpResponse:
    return _one(request, _found(asked))


@access.admins
@require_POST
def accept(request: HttpRequest, actor: Actor, asked: UUID) -> HttpResponseBase:
    found, form = _found(asked), AcceptForm(request.POST)
    if not form.is_valid():
        return _one(request, found, form=form)
    try:
        access_requests.accept(found, by=actor, **form.cleaned_data)
    except refusals.Refused as refused:
        return _one(request, found, form=form, refusal=refused)
    messages.success(request, f"Yes to {found.name}: the letter is on its way.")
    return redirect("/program/requests")


@access.admins
@require_POST
def decline(request: HttpRequest, actor: Actor, asked: UUID) -> HttpResponseBase:
    found, form = _found(asked), DeclineForm(request.POST)
    if not form.is_valid():
        return _one(request, found, form=form)
    try:
        access_requests.decline(found, by=actor, **form.cleaned_data)
    except refusals.Refused as refused:
        return _one(request, found, form=form, refusal=refused)
    messages.success(request, f"No to {found.name}: the letter with your reason is on its way.")
    return redirect("/program/requests")


def _requests(request: HttpRequest, form: DoorForm | None = None) -> HttpResponse:
    chosen = request.GET.get("show", "open")
    rows = AccessRequest.objects.select_related("answered_by")
    if chosen == "answered":
        rows = rows.exclude(state="requested").order_by(F("answered_at").desc())
    else:
        rows = rows.filter(state="requested").order_by("due_at", "id")
    found = Paginator(rows, 50).get_page(request.GET.get("page"))
    for row in found.object_list:
        row.overdue = _overdue(row)  # type: ignore[attr-defined]
    door = access_requests.program()
    initial = {"takes_requests": door.takes_requests, "hours": door.request_hours}
    context = {
        "page": found,
        "filter": chosen if chosen in SHOWN else "open",
        "door": door,
        "form": form or DoorForm(initial=initial),
    }
    return page(request, "gateway/requests.html", context)


def _one(
    request: HttpRequest, found: AccessRequest, *, form: Any = None, refusal: refusals.Refused | None = None
) -> HttpResponse:
    declining = isinstance(form, DeclineForm)
    context = {
        "asked": found,
        "overdue": _overdue(found),
        "form": form,
        "accept_form": AcceptForm() if form is None or declining else form,
        "decline_form": form if declining else DeclineForm(),
        "refusal": refusal,
    }
    return page(request, "gateway/request.html", context)


def _found(asked: UUID) -> AccessRequest:
    found = AccessRequest.objects.select_related("answered_by", "invitation").filter(pk=asked).first()
    if found is None:
        raise refusals.NotFound
    return found


def _overdue(asked: AccessRequest) -> bool:
    return asked.state == "requested" and asked.due_at < datetime.now(UTC)
