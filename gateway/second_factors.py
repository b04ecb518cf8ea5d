"""A second factor beside the password: who must have one, who has one, and what in the log says so."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.transaction import atomic

from gateway import actors, audit, notices
from gateway.actors import Actor
from gateway.models import User

KINDS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes stand in for one of these


def required(user: User) -> bool:
    """Whether this person passes with a second factor only: reviewers and admins, unless REQUIRE_MFA says no."""
    return settings.REQUIRE_MFA and (user.is_reviewer or user.is_staff)


def has(user: User) -> bool:
    """Whether this person has set one up."""
    return Authenticator.objects.filter(user=user, type__in=KINDS).exists()


def held(user: User) -> dict[int, str]:
    """The ids and kinds of all that this person could prove themselves with at this moment, recovery codes too."""
    return dict(Authenticator.objects.filter(user=user).values_list("pk", "type"))


def remove(user: User, *, by: Actor, reason: str) -> int:
    """Remove all that this person has, recovery codes too, because they lost them; return how many that were.

    They are told, and set up new ones at their next sign-in. Raises AdminsOnly.
    """
    if by.kind != "system":
        by.must_be_admin()
    with atomic():
        found = list(Authenticator.objects.select_for_update().filter(user=user))
        Authenticator.objects.filter(pk__in=[row.pk for row in found]).delete()
        facts = {"types": sorted(str(row.type) for row in found)}
        audit.record("authenticator.removed", by=by, subject=user, facts=facts, detail={"reason": reason})
        notices.tell(user, "Your second factor was removed", reason, path="/access/security")
    return len(found)


def note(user: User, verb: str, authenticator: Authenticator) -> None:
    """Write down that an authenticator was added, removed or made anew; never what is in it."""
    facts: dict[str, Any] = {"type": str(authenticator.type)}
    audit.record(f"authenticator.{verb}", by=actors.person(user), subject=user, facts=facts)
