"""What allauth does by itself and we have to remember: it tells by signals, and offers no other way."""

from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.dispatch import receiver
from django.http import HttpRequest

from gateway import actors, audit, second_factors, sessions
from gateway.models import User


@receiver(account.user_logged_in)
def signed_in(request: HttpRequest, user: User, **told: Any) -> None:
    audit.record("user.signed_in", by=actors.person(user), subject=user)


@receiver(account.email_changed)
def address_changed(
    user: User, from_email_address: EmailAddress | None, to_email_address: EmailAddress, **told: Any
) -> None:
    was = from_email_address.email if from_email_address else ""
    detail = {"from": was, "to": to_email_address.email}
    audit.record("user.address_changed", by=actors.person(user), subject=user, detail=detail)


@receiver([account.password_changed, account.password_set, account.password_reset])
def password_changed(request: HttpRequest, user: User, **told: Any) -> None:
    """Who knew the old one is out, in every other browser."""
    by = actors.person(user)
    audit.record("user.password_changed", by=by, subject=user)
    mine = request.user.is_authenticated and request.user.pk == user.pk
    sessions.end_others(by=by, keep=request.session.session_key if mine else None)


@receiver(mfa.authenticator_added)
def authenticator_added(request: HttpRequest, user: User, authenticator: Authenticator, **told: Any) -> None:
    """The first one was proven a moment ago, by adding it. A later one proves nothing about who adds it."""
    second_factors.note(user, "added", authenticator)
    if authenticator.type in second_factors.KINDS and not (
        Authenticator.objects.filter(user=user, type__in=second_factors.KINDS).exclude(pk=authenticator.pk).exists()
    ):
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type, reauthenticated=True)


@receiver(mfa.authenticator_removed)
def authenticator_removed(user: User, authenticator: Authenticator, **told: Any) -> None:
    second_factors.note(user, "removed", authenticator)


@receiver(mfa.authenticator_reset)
def authenticator_reset(user: User, authenticator: Authenticator, **told: Any) -> None:
    second_factors.note(user, "renewed", authenticator)
