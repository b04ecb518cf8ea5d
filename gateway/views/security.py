"""How a person signs in, and where they are signed in."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals, second_factors, sessions
from gateway.actors import Actor


@access.signed_in
@require_safe
def security_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Address, password, second factors and sessions on one page, each with its way to change it."""
    assert actor.user is not None
    kinds = list(second_factors.held(actor.user).values())
    rows = list(sessions.of(actor.user)[:100])
    for row in rows:
        row.browser = sessions.named(row.user_agent)
    context = {
        "sessions": rows,
        "current": request.session.session_key,
        "has_password": actor.user.has_usable_password(),
        "app": Authenticator.Type.TOTP in kinds,
        "passkeys": kinds.count(Authenticator.Type.WEBAUTHN),
        "required": second_factors.required(actor.user),
    }
    return render(request, "gateway/security.html", context)


@access.signed_in
@require_POST
def end_session(request: HttpRequest, actor: Actor, session: int) -> HttpResponseBase:
    found = UserSession.objects.filter(pk=session, user=actor.user).first()
    if found is None:
        raise refusals.NotFound
    sessions.end(found, by=actor)
    messages.success(request, "That browser is signed out.")
    return redirect("/access/security")


@access.signed_in
@require_POST
def end_other_sessions(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    ended = sessions.end_others(by=actor, keep=request.session.session_key)
    messages.success(request, f"{ended} other {'session is' if ended == 1 else 'sessions are'} signed out.")
    return redirect("/access/security")
