"""Pages of the ground floor: coming in, keys, invitations, terms, and whether the gateway lives."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from allauth.account.utils import perform_login
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, keys, members, pulses, refusals, sign_in_links, terms, tokens
from gateway.actors import Actor
from gateway.celery import app as celery
from gateway.forms import AdmissionForm, InvitationForm, TokenForm
from gateway.middleware import refuse
from gateway.models import Invitation, SignInLink, Token, User


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
def terms_page(request: HttpRequest) -> HttpResponse:
    return render(request, "gateway/terms.html", {"terms": terms.current()})


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """Where a person goes after signing in: to what waits for their hand."""
    actor = access.actor_of(request)
    if actor.is_reviewer:
        return redirect("/review")
    if actor.membership is None and actor.is_admin:
        return redirect("/program/invitations")
    return redirect("/dashboard" if actor.user else "/accounts/login/")


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Accept an invitation: name, password, terms; then one is inside."""
    found = members.open_invitation(secret)
    in_force = terms.current()
    initial = {"version": in_force.version if in_force else None}
    form = AdmissionForm(request.POST or None, initial=initial)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            user = members.admit(
                found,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password"],
                accepts=form.cleaned_data["version"],
            )
        except refusals.Refused as refused:
            refusal = refused
        else:
            return _sign_in(request, user)
    context = {"invitation": found, "terms": in_force, "form": form, "refusal": refusal}
    return page(request, "gateway/invitation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponseBase:
    """A GET only asks, so that a browser that looks ahead does not use the link up."""
    if request.method == "POST":
        return _sign_in(request, sign_in_links.use(secret))
    link = SignInLink.objects.filter(digest=keys.digest(secret), used_at__isnull=True).select_related("user").first()
    if not settings.EMBEDDED or link is None or link.expires_at < datetime.now(UTC):
        raise refusals.BadSignInLink
    return render(request, "gateway/sign_in_link.html", {"person": link.user})


def _sign_in(request: HttpRequest, user: User) -> HttpResponseBase:
    # "none": the address was verified by the link that led here.
    response: HttpResponseBase = perform_login(request, user, email_verification="none", redirect_url="/home")
    return response


@access.signed_in
@require_safe
def keys_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _keys(request, actor, _token_form(actor))


@access.signed_in
@require_POST
def issue_token(request: HttpRequest, actor: Actor) -> HttpResponse:
    form = _token_form(actor, request.POST)
    if not form.is_valid():
        return _keys(request, actor, form)
    _, secret = tokens.issue(by=actor, **form.cleaned_data)
    return _keys(request, actor, _token_form(actor), secret=secret)


@access.signed_in
@require_POST
def revoke_token(request: HttpRequest, actor: Actor, token: UUID) -> HttpResponseBase:
    found = Token.objects.filter(pk=token, user=actor.user).first()
    if found is None:
        raise refusals.NotFound
    tokens.revoke(found, by=actor)
    messages.success(request, f"“{found.label}” is revoked: its next request is refused.")
    return redirect("/access")


def _token_form(actor: Actor, data: Any = None) -> TokenForm:
    return TokenForm(data, reviewer=actor.is_reviewer, member=actor.membership is not None)


def _keys(request: HttpRequest, actor: Actor, form: TokenForm, secret: str = "") -> HttpResponse:
    mine = Token.objects.filter(user=actor.user).order_by("-created_at")[:100]
    response = page(request, "gateway/access.html", {"tokens": mine, "form": form, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def invitations(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Invite people, and see who was invited."""
    form = InvitationForm(request.POST or None)
    refusal: refusals.Refused | None = None
    link = ""
    if request.method == "POST" and form.is_valid():
        try:
            _, path = members.invite(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            link, form = f"{settings.BASE_URL}{path}", InvitationForm()
    rows = list(Invitation.objects.select_related("cohort", "invited_by").order_by("-created_at")[:100])
    now = datetime.now(UTC)
    for row in rows:
        row.expired = row.state == "sent" and row.expires_at < now  # type: ignore[attr-defined]
    context = {
        "form": form,
        "invitations": rows,
        "link": link,
        "refusal": refusal,
        "mail_folder": settings.EMAIL_FILE_PATH if hasattr(settings, "EMAIL_FILE_PATH") else "",
    }
    return page(request, "gateway/invitations.html", context)


@access.admins
@require_POST
def revoke_invitation(request: HttpRequest, actor: Actor, invitation: UUID) -> HttpResponseBase:
    found = Invitation.objects.filter(pk=invitation).first()
    if found is None:
        raise refusals.NotFound
    members.revoke(found, by=actor)
    messages.success(request, f"The invitation to {found.email} is revoked.")
    return redirect("/program/invitations")


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page with a form: its status is the refusal's, 422 when a field is wrong, else 200. Typed text stays in it."""
    refusal, form = context.get("refusal"), context.get("form")
    status = 200
    if refusal is not None:
        status = refusal.status
    elif form is not None and form.is_bound and form.errors:
        status = 422
    response = render(request, template, context, status=status)
    if refusal is not None:
        response.refusal = refusal.code  # type: ignore[attr-defined]
    return response
