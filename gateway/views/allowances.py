"""Where credits went: an artist's own, and for admins everybody's."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, allowances, limits, refusals
from gateway.actors import Actor
from gateway.forms.allowances import GrantForm, LimitsForm
from gateway.models import Membership
from gateway.views.pages import page


@access.signed_in
@require_safe
def own(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What happened to each credit of one's own."""
    membership = actor.membership or actor.former
    context: dict[str, Any] = {"membership": membership}
    if membership is not None:
        context |= _ledger(request, membership)
    if actor.membership is not None:
        context["allowance"] = allowances.current(actor.membership)
    return render(request, "gateway/allowance.html", context)


@access.admins
@require_safe
def members(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Each member with this month's figures."""
    rows = Membership.objects.exclude(state="left").select_related("user", "cohort").order_by("user__name", "pk")
    found = Paginator(rows, 50).get_page(request.GET.get("page"))
    figures = allowances.this_month(found.object_list)
    lines = [(row, figures.get(row.pk)) for row in found.object_list]
    return render(request, "gateway/allowances.html", {"lines": lines, "page": found})


@access.admins
@require_safe
def member(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponse:
    return _member(request, _found(membership))


@access.admins
@require_POST
def grant(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    found, form = _found(membership), GrantForm(request.POST)
    if not form.is_valid():
        return _member(request, found, grant_form=form)
    try:
        allowances.grant(found, form.cleaned_data["amount"], by=actor, reason=form.cleaned_data["reason"])
    except refusals.Refused as refused:
        return _member(request, found, grant_form=form, refusal=refused)
    messages.success(request, f"{found.user} has {form.cleaned_data['amount']} more credits, and reads why.")
    return redirect(f"/program/allowances/{membership.hex}")


@access.admins
@require_POST
def change_limits(request: HttpRequest, actor: Actor, membership: UUID) -> HttpResponseBase:
    found, form = _found(membership), LimitsForm(request.POST)
    if not form.is_valid():
        return _member(request, found, limits_form=form)
    limits.change(found, by=actor, **form.cleaned_data)
    messages.success(request, f"The limits of {found.user} are changed.")
    return redirect(f"/program/allowances/{membership.hex}")


def _found(membership: UUID) -> Membership:
    found = Membership.objects.select_related("user", "cohort").filter(pk=membership).first()
    if found is None:
        raise refusals.NotFound
    return found


def _member(request: HttpRequest, membership: Membership, **told: Any) -> HttpResponse:
    own_limits = {name: getattr(membership, name) for name in LimitsForm.base_fields}
    context = {
        "membership": membership,
        "allowance": allowances.this_month([membership]).get(membership.pk),
        "grant_form": GrantForm(),
        "limits_form": LimitsForm(initial=own_limits),
        **_ledger(request, membership),
        **told,
    }
    context["form"] = told.get("grant_form") or told.get("limits_form")
    return page(request, "gateway/member_allowance.html", context)


def _ledger(request: HttpRequest, membership: Membership) -> dict[str, Any]:
    entries = Paginator(allowances.ledger(membership), 50).get_page(request.GET.get("page"))
    return {"page": entries, "limits": limits.of(membership)}
