"""Who comes in, and how one goes: an invitation is a letter to one address and a link that works once.

Order of locks: the address, then the cohort, then rows of the two.
"""

from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, allowances, audit, keys, notices, refusals, states, terms, tokens, webhooks
from gateway.actors import Actor
from gateway.models import Cohort, Invitation, Membership, MembershipChange, Token, User


def invite(
    email: str,
    *,
    by: Actor,
    role: str = "artist",
    cohort: Cohort | None = None,
    credits: int | None = None,
    days: int | None = None,
    note: str = "",
    by_mail: bool = True,
) -> tuple[Invitation, str]:
    """Invite `email` as an artist into `cohort` with `credits` a month (its own by default), or as a reviewer.

    Returns the row and the link's path, which works for `days` and is mailed too, with a personal `note`, unless the
    admin hands it over. Raises AdminsOnly, AlreadyAMember, AlreadyInvited, NoSeatLeft.
    """
    admin = by.must_be_admin()
    email = email.lower()
    secret = keys.make("invitation")
    if cohort is not None and credits is None:
        credits = cohort.credits
    with atomic():
        _must_be_new(email)
        if cohort is not None:
            _must_have_seat(cohort)
        invitation = Invitation.objects.create(
            email=email,
            role=role,
            cohort=cohort,
            credits=credits if cohort else None,
            by_mail=by_mail,
            note=note.strip(),
            digest=keys.digest(secret),
            expires_at=timezone.now() + timedelta(days=days or settings.INVITATION_DAYS),
            invited_by=admin,
        )
        path = f"/invitations/{secret}"
        audit.record("invitation.sent", by=by, subject=invitation, detail={"email": email})
        if by_mail:
            notices.write_to(email, f"You are invited to {settings.PROGRAM_NAME}", _letter(invitation), path=path)
    return invitation, path


def invite_anew(invitation: Invitation, *, by: Actor) -> tuple[Invitation, str]:
    """Revoke an invitation that was not used, and send the same again with a new link.

    Raises AdminsOnly, WrongState, NoSeatLeft when it had run out and its seat was given away.
    """
    by.must_be_admin()
    with atomic():
        _alone(invitation.email)  # before the rows, as `invite` does
        if invitation.cohort is not None:
            _hold(invitation.cohort)
        states.move(invitation, "revoked", by=by)
        return invite(
            invitation.email,
            by=by,
            role=invitation.role,
            cohort=invitation.cohort,
            credits=invitation.credits,
            days=max(1, round((invitation.expires_at - invitation.created_at) / timedelta(days=1))),
            note=invitation.note,
            by_mail=invitation.by_mail,
        )


def open_invitation(secret: str) -> Invitation:
    """The invitation that this link opens. Raises BadInvitation."""
    if not keys.well_formed(secret, "invitation"):
        raise refusals.BadInvitation
    invitation = (
        Invitation.objects.open().select_related("cohort", "invited_by").filter(digest=keys.digest(secret)).first()
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
            if invitation.cohort is not None:
                _hold(invitation.cohort)  # who counts its seats meanwhile waits, and counts this one once
            user = User.objects.create_user(
                invitation.email, password, name=name, is_reviewer=invitation.role == "reviewer"
            )
            by = actors.person(user)
            # The link reached this address, so the address is theirs.
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
            states.move(
                invitation, "accepted", by=by, when=Q(expires_at__gt=Now()), accepted_by=user, accepted_at=Now()
            )
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


def place(user: User, cohort: Cohort, *, by: Actor, credits: int | None = None) -> Membership:
    """Give somebody who is here and has no place one in `cohort`: a reviewer who makes works too, or who had left.

    Raises AdminsOnly, NoSeatLeft, AlreadyAMember.
    """
    by.must_be_admin()
    try:
        with atomic():
            _must_have_seat(cohort)
            membership = Membership.objects.create(
                user=user, cohort=cohort, credits=cohort.credits if credits is None else credits
            )
            audit.record("membership.active", by=by, subject=membership)
            notices.tell(
                user,
                f"You have a place in {cohort}",
                f"You can generate and submit, with {membership.credits} credits a month.",
                path="/membership",
            )
    except IntegrityError:
        raise refusals.AlreadyAMember from None
    return membership


def suspend(membership: Membership, *, by: Actor, reason: str) -> None:
    """Stop a member from making new works; what they have stays theirs. They read the reason, and who gave it.

    Raises AdminsOnly, ReasonNeeded, WrongState.
    """
    by.must_be_admin()
    reason = _said(reason)
    with atomic():
        _change_state(membership, "suspended", "suspended", by=by, reason=reason)
        notices.tell(
            membership.user,
            "Your membership is suspended",
            f"{reason}\n\nUntil the suspension ends you can't make new works, submit or sign. {KEPT}",
            path="/membership",
        )


def resume(membership: Membership, *, by: Actor) -> None:
    """End a suspension. Raises AdminsOnly, WrongState."""
    by.must_be_admin()
    with atomic():
        _change_state(membership, "active", "resumed", by=by)
        notices.tell(
            membership.user,
            "Your membership is active again",
            "You can generate and submit as before.",
            path="/membership",
        )


def end(membership: Membership, *, by: Actor, reason: str) -> None:
    """Let a member go, with a reason that they read. Raises AdminsOnly, ReasonNeeded, WrongState."""
    by.must_be_admin()
    reason = _said(reason)
    with atomic():
        _part(membership, "ended", by=by, reason=reason)
        notices.tell(membership.user, "Your membership has ended", f"{reason}\n\n{GONE} {KEPT}", path="/membership")


def leave(*, by: Actor) -> None:
    """An artist gives their own place up, in person: no token may. Raises MissingScope, NotAMember, WrongState."""
    by.must_have("leave")
    if by.user is None or by.membership is None:
        raise refusals.NotAMember
    membership = Membership.objects.select_related("user", "cohort").get(pk=by.membership.pk)
    with atomic():
        _part(membership, "left", by=by)
        notices.tell(membership.user, "You have left", f"You gave up your place. {GONE} {KEPT}", path="/membership")


def move(membership: Membership, cohort: Cohort, *, by: Actor) -> None:
    """Move a member into another cohort, when it has a seat; their credits stay. Raises AdminsOnly, NoSeatLeft,
    MemberLeft."""
    by.must_be_admin()
    before = membership.cohort
    if cohort == before:
        return
    with atomic():
        _must_have_seat(cohort)
        _change(membership, "moved", by=by, before=before.name, after=cohort.name, cohort=cohort)
        notices.tell(
            membership.user,
            f"You are in the cohort “{cohort}” now",
            f"Before, you were in “{before}”. Your works and your credits are the same.",
            path="/membership",
        )


def set_credits(membership: Membership, credits: int, *, by: Actor) -> None:
    """Change what a member gets from the next month on; this month's allowance stays. Raises AdminsOnly, MemberLeft."""
    by.must_be_admin()
    if credits == membership.credits:
        return
    with atomic():
        allowances.current(membership)  # made with the credits that were promised for this month
        before = membership.credits
        _change(membership, "credits", by=by, before=str(before), after=str(credits), credits=credits)
        notices.tell(
            membership.user,
            f"{credits} credits a month from next month on",
            f"Until then it is {before}, as before.",
            path="/membership",
        )


def set_seats(cohort: Cohort, seats: int | None, *, by: Actor) -> None:
    """Say how many seats a cohort has; None is no limit. Raises AdminsOnly, TooFewSeats."""
    by.must_be_admin()
    with atomic():
        _hold(cohort)
        taken = Cohort.objects.seated().get(pk=cohort.pk).taken  # type: ignore[attr-defined]
        if seats is not None and seats < taken:
            raise refusals.TooFewSeats(taken=taken, cohort=cohort, param="seats")
        Cohort.objects.filter(pk=cohort.pk).update(seats=seats)
        audit.record("cohort.seats_set", by=by, subject=cohort, facts={"seats": seats})
    cohort.refresh_from_db()


def set_studio(studio: str, *, by: Actor) -> User:
    """A person says to which studio or collective they belong; nothing for none. Raises SignInFirst, MissingScope."""
    if by.user is None:
        raise refusals.SignInFirst
    by.must_have("studio")  # which no token can
    studio = " ".join(studio.split())[:120]
    with atomic():
        if User.objects.filter(pk=by.user.pk).exclude(studio=studio).update(studio=studio):
            audit.record("user.studio_set", by=by, subject=by.user, detail={"studio": studio})
    by.user.studio = studio
    return by.user


KEPT = (
    "What you have stays yours: you sign in, see, download and withdraw your works as before, and what is published "
    "stays public until you withdraw it."
)
GONE = "Your tokens are revoked. What was waiting or being drawn is cancelled, and its credits are given back."


def _part(membership: Membership, kind: str, *, by: Actor, reason: str = "") -> None:
    _change_state(membership, "left", kind, by=by, reason=reason)
    for token in Token.objects.live().filter(membership=membership):
        tokens.revoke(token, by=by)
    webhooks.stop_all(membership.user, reason="Its owner has no place in the program any more.")
    Token.objects.filter(membership=membership).update(last_address=None, last_use="")


def _change_state(membership: Membership, to: str, kind: str, *, by: Actor, reason: str = "") -> None:
    change = MembershipChange(membership=membership, kind=kind, made_by=by.user, reason=reason)
    states.move(membership, to, by=by, facts={"change": change.pk})
    change.save(force_insert=True)


def _change(membership: Membership, kind: str, *, by: Actor, before: str, after: str, **columns: Any) -> None:
    if not Membership.objects.filter(pk=membership.pk).exclude(state="left").update(**columns):
        raise refusals.MemberLeft
    change = MembershipChange.objects.create(
        membership=membership, kind=kind, made_by=by.user, before=before, after=after
    )
    audit.record(f"membership.{kind}", by=by, subject=membership, facts={"change": change.pk})
    membership.refresh_from_db()


def _said(reason: str) -> str:
    if not reason.strip():
        raise refusals.ReasonNeeded(param="reason")
    return reason.strip()


def _hold(cohort: Cohort) -> None:
    """Until the transaction ends nobody else counts this cohort's seats."""
    Cohort.objects.select_for_update(no_key=True).get(pk=cohort.pk)


def _must_have_seat(cohort: Cohort) -> None:
    """Raises NoSeatLeft."""
    _hold(cohort)
    found = Cohort.objects.seated().get(pk=cohort.pk)
    if found.free == 0:
        raise refusals.NoSeatLeft(seats=found.seats, cohort=found.name, param="cohort")


def _alone(email: str) -> None:
    """Until the transaction ends nobody else invites this address."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(7003, hashtext(%s))", [email])


def _must_be_new(email: str) -> None:
    """Raises AlreadyAMember, AlreadyInvited."""
    _alone(email)
    if User.objects.filter(email__iexact=email).exists():
        raise refusals.AlreadyAMember(param="email")
    open_one = Invitation.objects.open().filter(email__iexact=email).first()
    if open_one is not None:
        raise refusals.AlreadyInvited(param="email", email=email, until=f"{open_one.expires_at:%-d %B}")


def _letter(invitation: Invitation) -> str:
    what = (
        f"as an artist in the cohort “{invitation.cohort}”, with {invitation.credits} credits a month"
        if invitation.cohort
        else "as a reviewer"
    )
    said = f"{invitation.invited_by} writes:\n\n{invitation.note}\n\n" if invitation.note else ""
    return (
        f"You are invited to {settings.PROGRAM_NAME} {what}.\n\n{said}"
        "Nothing that you make there becomes public before you sign it, and you can withdraw it at any time.\n"
        f"The link below is for you alone; it works once, until {invitation.expires_at:%-d %B %Y}."
    )
