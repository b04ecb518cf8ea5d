"""Who is in the program, for admins; and a member's own place."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Max, When
from django.db.models.functions import Greatest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, members, refusals
from gateway.actors import Actor
from gateway.forms.members import CreditsForm, MoveForm, PlaceForm, ReasonForm, SeatsForm
from gateway.models import Cohort, Membership
from gateway.views.pages import page

SHOWN = ("all", "active", "suspended", "left")


@access.admins
@require_safe
def everyone(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Everyone by cohort, and the cohorts' seats."""
    return _everyone(request)


@access.admins
@require_POST
def set_seats(request: HttpRequest, actor: Actor, cohort: UUID) -> HttpResponseBase:
    found = Cohort.objects.filter(pk=cohort).first()
    if found is None:
        raise refusals.NotFound
    form = SeatsForm(request.POST)
    if not form.is_valid():
        return _everyone(request, form=form, of=found)
    try:
        members.set_seats(found, form.cleaned_data["seats"], by=actor)
    except refusals.Refused as refused:
        return _everyone(request, form=form, of=found, refusal=refused)
    messages.success(request, f"{found} has {'no limit' if found.seats is None else f'{found.seats} seats'} now.")
    return redirect("/program/members")


@access.admins
@require_safe
def member(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponse:
    return _member(request, _found(membership))


@access.admins
@require_POST
def suspend(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    def act(found: Membership, said: dict[str, Any]) -> str:
        members.suspend(found, by=actor, reason=said["reason"])
        return "Suspended. They were told, with your reason."

    return _act(request, membership, "suspend", act)


@access.admins
@require_POST
def resume(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    members.resume(_found(membership), by=actor)
    messages.success(request, "The suspension has ended. They were told.")
    return redirect(f"/program/members/{membership.hex}")


@access.admins
@require_POST
def end(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    def act(found: Membership, said: dict[str, Any]) -> str:
        members.end(found, by=actor, reason=said["reason"])
        return "The membership has ended. They were told, with your reason."

    return _act(request, membership, "end", act)


@access.admins
@require_POST
def move(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    def act(found: Membership, said: dict[str, Any]) -> str:
        members.move(found, said["cohort"], by=actor)
        return f"They are in {said['cohort']} now, and were told."

    return _act(request, membership, "move", act)


@access.admins
@require_POST
def set_credits(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    def act(found: Membership, said: dict[str, Any]) -> str:
        members.set_credits(found, said["credits"], by=actor)
        return f"{said['credits']} credits a month, from next month on. They were told."

    return _act(request, membership, "credits", act)


@access.admins
@require_POST
def place(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    def act(found: Membership, said: dict[str, Any]) -> str:
        members.place(found.user, by=actor, **said)
        return f"{found.user} has a place in {said['cohort']}, and was told."

    return _act(request, membership, "place", act, back="/program/members")


@access.signed_in
@require_safe
def mine(request: HttpRequest, actor: Actor) -> HttpResponse:
    """One's own place, and all that was done to it, by whom and why."""
    membership = actor.membership or actor.former
    changes = membership.changes.select_related("made_by").order_by("-id")[:100] if membership else []
    return render(request, "gateway/membership.html", {"membership": membership, "changes": changes})


FORMS: dict[str, Callable[..., Any]] = {
    "suspend": ReasonForm,
    "end": ReasonForm,
    "move": MoveForm,
    "credits": CreditsForm,
    "place": PlaceForm,
}


def _act(
    request: HttpRequest,
    membership: UUID,
    what: str,
    act: Callable[[Membership, dict[str, Any]], str],
    back: str = "",
) -> HttpResponseBase:
    """Do it and say so; when it is refused, show the page with the sentence and what was typed."""
    found = _found(membership)
    form = FORMS[what](request.POST, auto_id=f"{what}_%s")
    if not form.is_valid():
        return _member(request, found, what=what, form=form)
    try:
        told = act(found, form.cleaned_data)
    except refusals.Refused as refused:
        return _member(request, found, what=what, form=form, refusal=refused)
    messages.success(request, told)
    return redirect(back or f"/program/members/{membership.hex}")


def _member(
    request: HttpRequest,
    found: Membership,
    *,
    what: str = "",
    form: Any = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    initial = {"credits": {"credits": found.credits}, "move": {"cohort": found.cohort_id}}
    blank = {name: kind(auto_id=f"{name}_%s", initial=initial.get(name)) for name, kind in FORMS.items()}
    context = {
        "membership": found,
        "changes": found.changes.select_related("made_by").order_by("-id")[:100],
        "elsewhere": Membership.objects.filter(user=found.user).exclude(state="left").exclude(pk=found.pk).first(),
        "forms": {**blank, **({what: form} if form is not None else {})},
        "what": what,
        "form": form,
        "refusal": refusal,
    }
    return page(request, "gateway/member.html", context)


def _everyone(
    request: HttpRequest,
    *,
    form: SeatsForm | None = None,
    of: Cohort | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    chosen = request.GET.get("show", "all")
    gone_last = Case(When(state="left", then=1), default=0)
    rows = _seen().order_by("cohort__name", gone_last, "user__name", "id")
    if chosen in SHOWN[1:]:
        rows = rows.filter(state=chosen)
    found = Paginator(rows, 50).get_page(request.GET.get("page"))
    cohorts: list[Any] = list(Cohort.objects.seated().order_by("name"))
    for cohort in cohorts:
        mine = form is not None and cohort == of
        cohort.form = form if mine else SeatsForm(initial={"seats": cohort.seats})
        cohort.form.auto_id = f"seats_{cohort.pk.hex}_%s"
        cohort.refusal = refusal if mine else None
    context = {
        "page": found,
        "filter": chosen if chosen in SHOWN else "all",
        "filters": SHOWN,
        "cohorts": cohorts,
        "form": form,
        "refusal": refusal,
    }
    return page(request, "gateway/members.html", context)


def _seen() -> Any:
    """Memberships with `seen_at`: the last sign-in or the last use of a token, whichever is later."""
    return Membership.objects.select_related("user", "cohort").annotate(
        seen_at=Greatest("user__last_login", Max("user__tokens__last_used_at"))
    )


def _found(membership: UUID) -> Membership:
    found: Membership | None = _seen().filter(pk=membership).first()
    if found is None:
        raise refusals.NotFound
    return found
