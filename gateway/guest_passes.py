"""An artist lends a part of their allowance by link: issue, find, revoke.

A guest is never the artist: they can ask for clips with the pass and see their own, nothing else.
"""

from datetime import date, timedelta

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.crypto import salted_hmac

from gateway import actors, addresses, audit, brakes, keys, refusals, states, terms
from gateway.actors import Actor
from gateway.models import GuestPass
from gateway.models.guest_passes import GuestPassQuerySet
from gateway.prepared import Statement

KIND = "guest"


def issue(
    *,
    by: Actor,
    label: str,
    generations: int,
    credits: int,
    days: int,
    models: list[str] | None = None,
    per_address: int = 3,
    may_download: bool = False,
) -> tuple[GuestPass, str]:
    """Lend `generations` clips of at most `credits` credits in all, for `days`; return the row and the link's secret.

    A token may lend what it may spend itself, so it needs no scope beyond `generate`; but the pass ends with the token:
    who holds a leaked one could otherwise stay in after it was revoked.
    Raises MissingScope, TestsOnlyGenerate, NotAMember, Suspended, TermsNotAccepted, Braked.
    """
    by.must_have("generate")
    if by.user is None:
        raise refusals.SignInFirst
    if by.is_test:
        raise refusals.TestsOnlyGenerate
    membership = by.must_be_member()
    terms.must_have_accepted(by)
    brakes.must_be_free(by)
    secret = keys.make(KIND)
    ends_at = timezone.now() + timedelta(days=days)
    if by.token is not None and by.token.expires_at is not None:
        ends_at = min(ends_at, by.token.expires_at)
    with atomic():
        guest_pass = GuestPass.objects.create(
            membership=membership,
            token=by.token,
            label=label,
            digest=keys.digest(secret),
            last_four=secret[-4:],
            generations=generations,
            credits=credits,
            slugs=models or [],
            per_address=per_address,
            may_download=may_download,
            ends_at=ends_at,
        )
        audit.record(
            "guest_pass.open",
            by=by,
            subject=guest_pass,
            facts={"generations": generations, "credits": credits, "days": days, "may_download": may_download},
        )
    return guest_pass, secret


def find(secret: str) -> GuestPass:
    """The guest pass in force with this secret, with its artist, cohort and brakes: one SELECT at each request.

    Raises UnknownGuestPass, GuestPassRevoked, GuestPassEnded, GuestPassPaused.
    """
    if not keys.well_formed(secret, KIND):
        raise refusals.UnknownGuestPass
    found = BY_DIGEST.first(keys.digest(secret))
    if found is None:
        raise refusals.UnknownGuestPass
    must_be_in_force(found)
    return found


def hold(guest_pass: GuestPass) -> GuestPass:
    """The row as it is now, kept until the transaction ends: what is counted on it meanwhile stays so.

    Raises as `find` does.
    """
    GuestPass.objects.select_for_update(no_key=True).get(pk=guest_pass.pk)
    found = _sought().get(pk=guest_pass.pk)  # a second look: the first one may have waited
    must_be_in_force(found)
    return found


def must_be_in_force(found: GuestPass) -> None:
    """Raises GuestPassRevoked, GuestPassEnded, GuestPassPaused, about a row that `find` has read.

    Under a brake a pass rests: its reason is told to the artist, and is no guest's business.
    """
    if found.state == "revoked":
        raise refusals.GuestPassRevoked
    if not found.runs or found.membership.state == "left":  # type: ignore[attr-defined]
        raise refusals.GuestPassEnded
    held = found.membership.state != "active" or not found.membership.user.is_active
    if held or found.brake is not None:  # type: ignore[attr-defined]
        raise refusals.GuestPassPaused


def visible_to(actor: Actor) -> GuestPassQuerySet:
    """An artist's own."""
    if actor.user is None:
        return GuestPass.objects.none()
    return GuestPass.objects.filter(membership__user=actor.user)


def revoke(guest_pass: GuestPass, *, by: Actor) -> None:
    """Take back a pass of one's own (an admin: anybody's), now. Revoking twice is no error.

    What its guests have waiting is stopped downstream. Raises MissingScope, AdminsOnly.
    """
    by.must_have("generate")
    _must_be_own(guest_pass, by)
    try:
        states.move(guest_pass, "revoked", by=by, revoked_at=Now())
    except refusals.WrongState:
        return


def allow_downloads(guest_pass: GuestPass, may_download: bool, *, by: Actor) -> None:
    """Turn the switch "guests may download"; it counts from the next request on. Raises MissingScope, AdminsOnly."""
    by.must_have("generate")
    _must_be_own(guest_pass, by)
    with atomic():
        changed = GuestPass.objects.filter(pk=guest_pass.pk).exclude(may_download=may_download)
        if changed.update(may_download=may_download):
            audit.record("guest_pass.switched", by=by, subject=guest_pass, facts={"may_download": may_download})
    guest_pass.may_download = may_download


def guest(guest_pass: GuestPass, *, visitor: str, address: str) -> Actor:
    """Somebody with this pass: `visitor` is what their browser keeps, `address` where they ask from."""
    return Actor(
        "guest",
        guest_pass=guest_pass,
        visitor=_fingerprint(guest_pass, "visitor", visitor),
        visitor_address=address_of_day(guest_pass, address, timezone.now().date()),
    )


def address_of_day(guest_pass: GuestPass, address: str, day: date) -> bytes:
    """What is kept of an address: a keyed fingerprint of its household, another one for each day and pass."""
    return _fingerprint(guest_pass, f"address {day}", addresses.household(address))


def _fingerprint(guest_pass: GuestPass, what: str, value: str) -> bytes:
    return salted_hmac(f"guest {what} {guest_pass.pk}", value, algorithm="sha256").digest()


def _sought() -> GuestPassQuerySet:
    """Guest passes as they are read at each request."""
    runs = Exists(GuestPass.objects.in_force().filter(pk=OuterRef("pk")))
    brake = brakes.at_the_door(
        guest_pass=OuterRef("pk"),
        token=OuterRef("token_id"),
        artist=OuterRef("membership__user_id"),
        cohort=OuterRef("membership__cohort_id"),
    )
    return GuestPass.objects.select_related("membership__user", "membership__cohort", "token").annotate(
        runs=runs, brake=brake
    )


def _must_be_own(guest_pass: GuestPass, by: Actor) -> None:
    if by != actors.SYSTEM and (by.user is None or by.user.pk != guest_pass.membership.user_id):
        by.must_be_admin()


BY_DIGEST = Statement(lambda digest: _sought().filter(digest=digest), bytes)
