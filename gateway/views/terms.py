"""The terms: to read, to accept, and for admins to publish anew."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, refusals, terms, wordings
from gateway.actors import Actor
from gateway.forms.terms import AcceptForm, TermsForm
from gateway.models import Membership, Rate, Terms, TermsAcceptance
from gateway.views.pages import page


@require_safe
def terms_page(request: HttpRequest, version: int | None = None) -> HttpResponse:
    """The version in force, or that one."""
    shown = terms.current() if version is None else terms.read(version)
    versions = list(Terms.objects.order_by("version").values_list("version", flat=True))
    context = {
        "terms": shown,
        "card": shown.card() if shown else [],
        "in_force": terms.current(),
        "announced": terms.announced(),
        "versions": versions if len(versions) > 1 else [],
    }
    return render(request, "gateway/terms.html", context)


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def accept_page(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What has changed, the whole text, and a person's word that they accept it."""
    assert actor.user is not None
    shown = terms.due(actor) or terms.announced() or terms.current()
    form = AcceptForm(request.POST or None, initial={"version": shown.version if shown else None})
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            terms.accept(terms.read(form.cleaned_data["version"]), actor.user, by=actor)
        except refusals.OutdatedTerms as refused:
            refusal = refused
            form = AcceptForm(initial={"version": shown.version if shown else None})
        else:
            messages.success(request, f"You accepted version {form.cleaned_data['version']} of the terms.")
            return redirect("/home")
    before = _accepted_before(actor, shown)
    context: dict[str, Any] = {"terms": shown, "form": form, "refusal": refusal, "announced": terms.announced()}
    if shown is not None:
        context |= {
            "accepted": TermsAcceptance.objects.filter(terms=shown, user=actor.user).first(),
            "before": before,
            "card": shown.card(),
            "changes": wordings.changes(before.body, shown.body) if before else [],
            "changed": before is not None and before.body != shown.body,
            "card_changes": _lines(terms.card_changes(before.card() if before else [], shown.card())),
        }
    return page(request, "gateway/accept_terms.html", context)


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Draft the next version; a POST shows what would change and publishes nothing."""
    base = _latest()
    return _draft(request, base, TermsForm(request.POST or None, base=base))


@access.admins
@require_POST
def publish(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Publish what was looked at."""
    base = _latest()
    form = TermsForm(request.POST, base=base)
    if not form.is_valid():
        return _draft(request, base, form)
    try:
        made = terms.publish(by=actor, **form.as_rule())
    except refusals.Refused as refused:
        return _draft(request, base, form, refusal=refused)
    messages.success(request, f"Version {made.version} is published, and the members are told.")
    return redirect("/program/terms")


def _draft(
    request: HttpRequest, base: Terms | None, form: TermsForm, *, refusal: refusals.Refused | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "refusal": refusal,
        "in_force": terms.current(),
        "announced": terms.announced(),
        "next": base.version + 1 if base else 1,
        "versions": Terms.objects.annotate(accepted_by=Count("acceptances")).order_by("-version")[:100],
    }
    if form.is_bound and form.is_valid():
        asked = form.as_rule()
        new = Terms(version=asked["after"] + 1, body=asked["body"], currency=asked["currency"])
        new.in_force_at = asked["in_force_at"]
        card = [Rate(terms=new, kind=price.kind, words=price.words, cents=price.cents) for price in asked["rates"]]
        context |= {
            "preview": new,
            "kept": TermsForm(request.POST, base=base, auto_id=False),  # its ids would stand twice on the page
            "members": Membership.objects.exclude(state="left").filter(user__is_active=True).count(),
            "changes": wordings.changes(base.body if base else "", new.body),
            "card_changes": _lines(terms.card_changes(base.card() if base else [], card)),
        }
    return page(request, "gateway/program_terms.html", context)


def _latest() -> Terms | None:
    return Terms.objects.order_by("-version").first()


def _accepted_before(actor: Actor, shown: Terms | None) -> Terms | None:
    """The version that they had accepted before this one."""
    if shown is None:
        return None
    mine = Terms.objects.filter(acceptances__user=actor.user, version__lt=shown.version)
    return mine.order_by("-version").first()


def _lines(compared: list[tuple[Rate | None, Rate | None]]) -> list[dict[str, Any]]:
    return [
        {
            "before": before,
            "now": now,
            "same": before is not None and now is not None and before.amount == now.amount,
        }
        for before, now in compared
    ]
