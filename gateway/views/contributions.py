"""What artists did for the program: their page and statement, and the admins' queue and pay-out."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, contributions, refusals, spreadsheets
from gateway.actors import Actor
from gateway.forms.contributions import AnswerForm, DisputeForm, PayForm, ReportForm
from gateway.models import Contribution, User
from gateway.views.pages import page

COLUMNS = (
    "reported", "number", "kind", "title", "minutes", "rate card", "rate", "amount", "currency", "state", "reason",
    "paid", "reference",
)  # fmt: skip


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Report what one did, and see what became of the rest."""
    user = _user(actor)
    form = ReportForm(request.POST or None, card=contributions.card_of(user))
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            made = contributions.report(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            messages.success(request, f"Reported: {made.amount}, if it is accepted.")
            return redirect("/contributions")
    return _mine(request, user, form=form, refusal=refusal)


@access.signed_in
@require_POST
def dispute(request: HttpRequest, actor: Actor, contribution: UUID) -> HttpResponseBase:
    user = _user(actor)
    found = contributions.of(user).filter(pk=contribution).first()
    if found is None:
        raise refusals.NotFound
    form = DisputeForm(request.POST)
    words = form.cleaned_data["why"] if form.is_valid() else ""
    try:
        contributions.dispute(found, by=actor, why=words)
    except refusals.Refused as refused:
        return _mine(request, user, form=ReportForm(card=contributions.card_of(user)), disputed=found, no=refused)
    messages.success(request, "Somebody else looks at it now. Their answer reaches you here and by mail.")
    return redirect("/contributions")


@access.signed_in
@require_safe
def statement(request: HttpRequest, actor: Actor) -> HttpResponse:
    """All that one did, and what it came to: to print."""
    rows = contributions.of(_user(actor))
    return render(request, "gateway/statement.html", {"rows": rows.order_by("id"), **_sums(rows)})


@access.signed_in
@require_safe
def statement_csv(request: HttpRequest, actor: Actor) -> HttpResponse:
    rows = contributions.of(_user(actor)).order_by("id")
    return _csv("contributions.csv", COLUMNS, [_cells(row) for row in rows])


@access.admins
@require_safe
def office(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _office(request)


@access.admins
@require_POST
def decide(request: HttpRequest, actor: Actor, contribution: UUID, verdict: str) -> HttpResponseBase:
    """Accept, decline, or answer a dispute."""
    found = contributions.everybodys().filter(pk=contribution).first()
    if found is None:
        raise refusals.NotFound
    form = AnswerForm(request.POST)
    words = form.cleaned_data["words"] if form.is_valid() else ""
    rules: dict[str, Callable[[], None]] = {
        "accept": lambda: contributions.accept(found, by=actor, answer=words),
        "decline": lambda: contributions.decline(found, by=actor, reason=words),
        "uphold": lambda: contributions.uphold(found, by=actor, answer=words),
    }
    try:
        rules[verdict]()
    except refusals.Refused as refused:
        return _office(request, refusal=refused, about=found)
    messages.success(request, f"“{found.title}” is {found.state}; {found.user} is told.")
    return redirect("/program/contributions")


@access.admins
@require_POST
def pay(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    form = PayForm(request.POST)
    if not form.is_valid():
        raise refusals.NotOwed
    try:
        paid = contributions.pay(form.cleaned_data["pay"], by=actor, reference=form.cleaned_data["reference"])
    except refusals.Refused as refused:
        return _office(request, refusal=refused)
    messages.success(request, f"{len(paid)} marked as paid; their artists are told.")
    return redirect("/program/contributions")


@access.admins
@require_safe
def office_csv(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Everybody's, for the books."""
    rows = contributions.everybodys()
    return _csv("contributions-all.csv", ("artist", "address", *COLUMNS), [
        [row.user.name, row.user.email, *_cells(row)] for row in rows
    ])  # fmt: skip


def _user(actor: Actor) -> User:
    assert actor.user is not None
    return actor.user


def _mine(
    request: HttpRequest,
    user: User,
    *,
    form: ReportForm,
    refusal: refusals.Refused | None = None,
    disputed: Contribution | None = None,
    no: refusals.Refused | None = None,
) -> HttpResponse:
    rows = contributions.of(user)
    context = {
        "form": form,
        "refusal": refusal,
        "page": Paginator(rows, 50).get_page(request.GET.get("page")),
        "disputed": disputed.pk if disputed else None,
        "no": no,
        **_sums(rows),
    }
    response = page(request, "gateway/contributions.html", context)
    if no is not None:
        response.status_code, response.refusal = no.status, no.code  # type: ignore[attr-defined]
    return response


def _office(
    request: HttpRequest, *, refusal: refusals.Refused | None = None, about: Contribution | None = None
) -> HttpResponse:
    context = {
        "waiting": contributions.waiting()[:100],
        "owed": contributions.owed()[:200],
        "refusal": refusal,
        "about": about.pk if about else None,
        "typed": request.POST,
        **_sums(contributions.everybodys()),
    }
    return page(request, "gateway/program_contributions.html", context)


def _sums(rows: Any) -> dict[str, Any]:
    return {
        "sums": [figures.shown for figures in contributions.figures(rows)],
        "minutes": contributions.minutes(rows),
    }


def _cells(row: Contribution) -> list[object]:
    return [
        f"{row.created_at:%Y-%m-%d}",
        row.pk.hex,
        row.get_kind_display(),
        row.title,
        row.minutes,
        row.rate.terms.version,
        _plain(row.rate.cents),
        _plain(row.cents),
        row.currency,
        row.state,
        row.reason,
        f"{row.paid_at:%Y-%m-%d}" if row.paid_at else "",
        row.reference,
    ]


def _plain(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _csv(name: str, header: Any, rows: Any) -> HttpResponse:
    response = HttpResponse(spreadsheets.write(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
