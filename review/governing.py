"""The policy's pages: to read for everybody, and for admins to change, clause by clause."""

from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.utils.encoders import JSONEncoder

from gateway import access, refusals
from gateway.actors import Actor
from gateway.models import Cohort, Membership, User
from gateway.views import page
from review import dsa, policies, policy
from review.models import Clause
from review.policy_forms import ClauseForm, RetireForm, ReviewForm


@require_safe
def show_policy(request: HttpRequest) -> HttpResponse:
    """By what works are judged here."""
    return render(request, "public/policy.html", {"clauses": policy.in_force()})


@require_safe
def show_clause(request: HttpRequest, number: int) -> HttpResponse:
    """A clause as it is in force, or as it was last, and each wording before."""
    found = policy.versions(number)
    return render(request, "public/clause.html", {"clause": found[0], "history": _history(found)})


@require_safe
def policy_json(request: HttpRequest) -> JsonResponse:
    return JsonResponse(document(), encoder=JSONEncoder, json_dumps_params={"ensure_ascii": False})


def document() -> dict[str, Any]:
    """The policy in force, for programs."""
    clauses = policy.in_force()
    return {
        "object": "policy",
        "changed_at": max((clause.created_at for clause in clauses), default=None),
        "clauses": [
            {
                "number": clause.number,
                "version": clause.version,
                "title": clause.title,
                "rule": clause.body,
                "meant": clause.meant,
                "not_meant": clause.not_meant,
                "category": clause.category,
                "specification": clause.specification or None,
                "in_force_since": clause.created_at,
                "url": f"/policy/{clause.number}",
            }
            for clause in clauses
        ],
    }


@access.admins
@require_safe
def office(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The clauses in force, how often each was named lately, and those that were."""
    times = policy.named()
    clauses = policy.in_force()
    for clause in clauses:
        clause.times = times.get(clause.number, 0)  # type: ignore[attr-defined]
    there = {clause.number for clause in clauses}
    gone = Clause.objects.exclude(number__in=there).order_by("number", "-version").distinct("number")
    return render(request, "review/program_policy.html", {"clauses": clauses, "gone": gone})


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, actor: Actor, number: int | None = None) -> HttpResponse:
    """Write a new clause, or a new wording of one; a POST shows what would change and publishes nothing."""
    found = policy.versions(number) if number is not None else []
    form = ClauseForm(request.POST or None, base=_current(found))
    return _draft(request, found, form)


@access.admins
@require_POST
def publish(request: HttpRequest, actor: Actor, number: int | None = None) -> HttpResponseBase:
    """Publish what was looked at."""
    found = policy.versions(number) if number is not None else []
    form = ClauseForm(request.POST, base=_current(found))
    if not form.is_valid():
        return _draft(request, found, form)
    try:
        if number is None:
            made = policy.add(by=actor, **form.wording())
        else:
            made = policy.amend(_seen(found, form), by=actor, **form.wording())
    except refusals.Refused as refused:
        return _draft(request, policy.versions(number) if number is not None else [], form, refusal=refused)
    messages.success(request, f"Clause {made.number}, version {made.version}, is in force, and people are told.")
    return redirect(f"/program/policy/{made.number}")


@access.admins
@require_POST
def retire(request: HttpRequest, actor: Actor, number: int) -> HttpResponseBase:
    found = policy.versions(number)
    form = RetireForm(request.POST)
    if not form.is_valid():
        return _draft(request, found, ClauseForm(base=_current(found)), retiring=form)
    try:
        policy.retire(found[0], by=actor, reason=form.cleaned_data["reason"])
    except refusals.Refused as refused:
        return _draft(request, found, ClauseForm(base=_current(found)), retiring=form, refusal=refused)
    messages.success(request, f"Clause {number} does not hold any more, and people are told.")
    return redirect("/program/policy")


@access.admins
@require_safe
def show_reviewing(request: HttpRequest, actor: Actor) -> HttpResponse:
    """How the works of each cohort are reviewed."""
    return _reviewing(request)


@access.admins
@require_POST
def set_reviewing(request: HttpRequest, actor: Actor, cohort: UUID) -> HttpResponseBase:
    found = Cohort.objects.filter(pk=cohort, smoke=False).first()
    if found is None:
        raise refusals.NotFound
    form = ReviewForm(request.POST, policy=policies.of(found), clauses=policy.in_force())
    if not form.is_valid():
        return _reviewing(request, form=form, of=found)
    try:
        policies.set(found, by=actor, **form.cleaned_data)
    except refusals.Refused as refused:
        return _reviewing(request, form=form, of=found, refusal=refused)
    messages.success(request, f"{found}: reviewed so from now on.")
    return redirect("/program/review")


def _reviewing(
    request: HttpRequest,
    *,
    form: ReviewForm | None = None,
    of: Cohort | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    clauses = policy.in_force()
    rows = [
        {
            "cohort": row.cohort,
            "said": policies.sentence(row),
            "meaning": policies.meaning(row),
            "form": form if form and row.cohort == of else ReviewForm(policy=row, clauses=clauses),
            "open": row.cohort == of,
            "refusal": refusal if row.cohort == of else None,
        }
        for row in policies.each()
    ]
    reviewers = User.objects.filter(is_reviewer=True, is_active=True).count()
    context = {"rows": rows, "reviewers": reviewers, "form": form, "refusal": refusal}
    return page(request, "review/program_review.html", context)


def _current(found: list[Clause]) -> Clause | None:
    """The wording in force, of all the wordings of a clause."""
    return next((clause for clause in found if clause.retired_at is None), None)


def _seen(found: list[Clause], form: ClauseForm) -> Clause:
    """The wording that its author had before them."""
    seen = next((clause for clause in found if clause.version == form.cleaned_data["after"]), None)
    if seen is None:
        raise refusals.NotFound
    return seen


def _draft(
    request: HttpRequest,
    found: list[Clause],
    form: ClauseForm,
    *,
    retiring: RetireForm | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    base = _current(found)
    version = base.version if base else 0
    context: dict[str, Any] = {
        "clause": found[0] if found else None,
        "in_force": base,
        "history": _history(found),
        "times": policy.named().get(found[0].number, 0) if found else 0,
        "retiring": retiring or RetireForm(),
        "at": f"/program/policy/{base.number}" if base else "/program/policy/new",
    }
    if form.is_bound and form.is_valid():
        if form.cleaned_data["after"] != version and refusal is None:
            refusal = refusals.ClauseChanged(number=found[0].number if found else "")
        # What was typed stays, now beside the wording that is in force.
        typed = request.POST.copy()
        typed["after"] = str(version)
        wording = form.wording()
        form = ClauseForm(typed, base=base)
        wording.pop("why")
        new = Clause(number=base.number if base else 0, version=version + 1, **wording)
        context |= {
            "preview": new,
            "kept": ClauseForm(typed, base=base, auto_id=False),  # its ids would stand twice on the page
            "changes": policy.changes(base, new),
            "category": dsa.said(new.category),
            "told": Membership.objects.exclude(state="left").filter(user__is_active=True).count(),
        }
    context |= {"form": form, "refusal": refusal}
    response = page(request, "review/program_clause.html", context)
    if retiring is not None and retiring.errors:
        response.status_code = 422
    return response


def _history(found: list[Clause]) -> list[dict[str, Any]]:
    """Each wording, the latest first, with what it changed in the one before."""
    return [
        {"clause": clause, "changes": policy.changes(old, clause) if old else [], "category": dsa.said(clause.category)}
        for clause, old in zip_longest(found, found[1:])
    ]
