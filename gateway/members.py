"""Who comes in: an invitation is a letter to one address and a link that works once."""

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, audit, keys, notices, refusals, states, terms
from gateway.actors import Actor
from gateway.models import Cohort, Invitation, Membership, User


def invite(
    email: str, *, by: Actor, role: str = "artist", cohort: Cohort | None = None, credits: int | None = None
) -> tuple[Invitation, str]:
    """Invite `email` as an artist into `cohort` with `credits` a month (its own by default), or as a reviewer.

    Returns the row and the link's path, which is also mailed. Raises AdminsOnly, AlreadyAMember, AlreadyInvited.
    """
    admin = by.must_be_admin()
    email = email.lower()
    secret = keys.make("invitation")
    if cohort is not None and credits is None:
        credits = cohort.credits
    with atomic():
        _must_be_new(email)
        invitation = Invitation.objects.create(
            email=email,
            role=role,
            cohort=cohort,
            credits=credits if cohort else None,
            digest=keys.digest(secret),
            expires_at=timezone.now() + timedelta(days=settings.INVITATION_DAYS),
            invited_by=admin,
        )
        path = f"/invitations/{secret}"
        audit.record("invitation.sent", by=by, subject=invitation, detail={"email": email})
        notices.write_to(email, f"You are invited to {settings.PROGRAM_NAME}", _letter(invitation), path=path)
    return invitation, path


def open_invitation(secret: str) -> Invitation:
    """The invitation that this link opens. Raises BadInvitation."""
    if not keys.well_formed(secret, "invitation"):
        raise refusals.BadInvitation
    invitation = (
        Invitation.objects.select_related("cohort")
        .filter(digest=keys.digest(secret), state="sent", expires_at__gt=Now())
        .first()
    )
    if invitation is None:
        raise refusals.BadInvitation
    return invitation


def admit(invitation: Invitation, *, name: str, password: str, accepts: int | None) -> User:
    """Make the person whom the invitation names, with the terms' version that they accepted; use the invitation up.

    Raises TermsNotAccepted when `accepts` is not the version in force, BadInvitation when the link was used meanwhile.
    """
    in_force = terms.current()
    if in_force is not None and accepts != in_force.version:
        raise refusals.TermsNotAccepted(version=in_force.version)
    try:
        with atomic():
            user = User.objects.create_user(
                invitation.email, password, name=name, is_reviewer=invitation.role == "reviewer"
            )
            by = actors.person(user)
            # The link reached this address, so the address is theirs.
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
            states.move(invitation, "accepted", by=by, when=Q(expires_at__gt=Now()), accepted_by=user)
            if invitation.cohort is not None:
                membership = Membership.objects.create(
                    user=user, cohort=invitation.cohort, credits=invitation.credits or 0
                )
                audit.record("membership.active", by=by, subject=membership)
            if in_force is not None:
                terms.accept(in_force, user, by=by)
    except refusals.WrongState:
        raise refusals.BadInvitation from None
    except IntegrityError:
        raise refusals.AlreadyAMember from None
    return user


def revoke(invitation: Invitation, *, by: Actor) -> None:
    """Take an invitation back before it was used. Raises AdminsOnly, WrongState."""
    by.must_be_admin()
    states.move(invitation, "revoked", by=by)


def suspend(membership: Membership, *, by: Actor, reason: str) -> None:
    """Stop a member from making new works; what they have stays theirs. Raises AdminsOnly, WrongState."""
    by.must_be_admin()
    with atomic():
        states.move(membership, "suspended", by=by)
        notices.tell(membership.user, "Your membership is suspended", reason)


def resume(membership: Membership, *, by: Actor) -> None:
    """End a suspension. Raises AdminsOnly, WrongState."""
    by.must_be_admin()
    with atomic():
        states.move(membership, "active", by=by)
        notices.tell(membership.user, "Your membership is active again", "You can generate and submit as before.")


def _must_be_new(email: str) -> None:
    """Raises AlreadyAMember, AlreadyInvited. Until the transaction ends nobody else invites this address."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(7003, hashtext(%s))", [email])
    if User.objects.filter(email__iexact=email).exists():
        raise refusals.AlreadyAMember(param="email")
    open_one = Invitation.objects.filter(email__iexact=email, state="sent", expires_at__gt=Now()).first()
    if open_one is not None:
        raise refusals.AlreadyInvited(param="email", email=email, until=f"{open_one.expires_at:%-d %B}")


def _letter(invitation: Invitation) -> str:
    what = (
        f"as an artist in the cohort “{invitation.cohort}”, with {invitation.credits} credits a month"
        if invitation.cohort
        else "as a reviewer"
    )
    return (
        f"You are invited to {settings.PROGRAM_NAME} {what}.\n\n"
        "Nothing that you make there becomes public before you sign it, and you can withdraw it at any time.\n"
        f"The link below is for you alone; it works once, until {invitation.expires_at:%-d %B %Y}."
    )
