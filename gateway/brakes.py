"""Brakes: stop one credential, an artist, a cohort, a model, a publication or everything, from the next request on.

1. A brake is a row, and nothing stands between a request and it: no cache. Upstream states the fact; doors, the claim,
   the worker's step and the public exit ask for it, each at its own moment. Nobody is called.
2. A braked credential (token, browser session, guest pass) opens nothing. Every other brake stops what makes something
   new, and leaves reading, download and withdrawal open, unless it says that it closes.
3. Admins pass every brake but one on the very session that they sit at, or nobody could release one; also while they
   look as an artist, who changes nothing.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Literal
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, audit, notices, refusals, states
from gateway.actors import Actor
from gateway.models import Brake, User
from gateway.models.brakes import CREDENTIALS, WIDE
from gateway.prepared import Statement

Source = Literal["admin", "command", "sighting"]


def pull(
    scope: str,
    target: UUID | None,
    *,
    by: Actor,
    label: str,
    reason: str,
    closes: bool = False,
    ends_at: datetime | None = None,
    source: Source = "admin",
    tell: Iterable[User] = (),
) -> Brake:
    """Put a brake on `target` (None for all), in force from this moment until `ends_at` or its release.

    `label` says in words what it is on; `tell` are those whom it touches, who read the reason. By an admin, or by the
    program itself. Raises AdminsOnly, BrakeNeedsReason, BrakeEndsInThePast.
    """
    admin = _admin(by)
    if not reason.strip():
        raise refusals.BrakeNeedsReason(param="reason")
    if ends_at is not None and ends_at <= timezone.now():
        raise refusals.BrakeEndsInThePast(param="ends_at")
    with atomic():
        brake = Brake.objects.create(
            scope=scope,
            target=target,
            label=label,
            reason=reason.strip(),
            closes=closes,
            ends_at=ends_at,
            source=source,
            pulled_by=admin,
        )
        audit.record(
            "brake.pulled",
            by=by,
            subject=brake,
            facts={"scope": scope, "target": target, "closes": closes, "ends_at": ends_at, "source": source},
            detail={"reason": brake.reason, "label": label},
        )
        notices.tell_all(tell, f"A brake is on {label}", f"{sentence(brake)}\n\n{consequence(brake)}", path="/access")
    return brake


def release(brake: Brake, *, by: Actor, why: str = "", tell: Iterable[User] = ()) -> None:
    """Let go, now. Raises AdminsOnly, WrongState when it was released already."""
    admin = _admin(by)
    with atomic():
        states.move(brake, "released", by=by, released_at=Now(), released_by=admin, why_released=why.strip())
        notices.tell_all(
            tell, f"The brake on {brake.label} is released", why.strip() or "Everything works as before.", path="/home"
        )


def explain(brake: Brake, *, by: Actor, words: str) -> None:
    """Word what the public reads of why; empty, it reads nothing. Of a brake on a cohort, a model or everything only.

    Raises AdminsOnly; NotFound for one on a person, their keys or a work, of which the public learns nothing.
    """
    by.must_be_admin()
    with atomic():
        if not Brake.objects.filter(pk=brake.pk, scope__in=WIDE).update(public_reason=words.strip()):
            raise refusals.NotFound
        audit.record("brake.explained", by=by, subject=brake, detail={"words": words.strip()})
    brake.refresh_from_db()


def ended() -> QuerySet[Brake]:
    """Those past their end, which nobody has put away yet."""
    return Brake.objects.filter(state="pulled", ends_at__lte=Now())


def must_be_free(by: Actor, *, model: UUID | None = None) -> None:
    """Something new is asked for, perhaps of `model`. Raises Braked when a brake is on whoever asks, or on that."""
    if by.is_admin:
        return
    targets = {scope: target for scope, target in (_of(by) | {"model": model}).items() if target is not None}
    brake = _first_on(tuple(targets)).first(*targets.values())
    if brake is not None:
        raise why(brake)


@cache
def _first_on(scopes: tuple[str, ...]) -> Statement[Brake]:
    """The first brake on any of such targets, or on everything."""

    def found(*targets: UUID) -> QuerySet[Brake]:
        return Brake.objects.in_force().on(**dict(zip(scopes, targets, strict=True))).order_by("id")[:1]

    return Statement(found, *[UUID] * len(scopes))


def shut_for(by: Actor) -> list[Brake]:
    """What is in force on a person in a browser, in one query: first what shuts the door, then what only stops."""
    in_force = Brake.objects.in_force()
    office = by.is_admin or by.impersonation is not None
    found = in_force.filter(scope="session", target=by.session) if office else in_force.on(**_of(by))
    return sorted(found, key=lambda brake: not brake.shuts)


def at_the_door(**targets: OuterRef) -> Subquery:
    """For the one statement by which a credential is found: the id of the brake that shuts its door, or null.

    `targets` as of `on()`, such as token=OuterRef("pk").
    """
    return Subquery(Brake.objects.in_force().shutting(**targets).order_by("id").values("pk")[:1])


def why(brake: Brake | UUID) -> refusals.Braked:
    """The "no" of this brake."""
    found = brake if isinstance(brake, Brake) else Brake.objects.get(pk=brake)
    return refusals.Braked(label=found.label, until=_until(found), reason=found.reason.rstrip("."))


def sentence(brake: Brake) -> str:
    """What is stopped, until when and why."""
    return why(brake).sentence


def consequence(brake: Brake) -> str:
    """What those whom it touches can still do."""
    if brake.scope in CREDENTIALS:
        return "Nothing can be done with it any more. Everything else of yours works as before."
    if brake.scope == "publication":
        return "The public can't see it at the moment. It is still yours, and you can withdraw it."
    if brake.closes:
        return "Pages and downloads are closed too, and what was published is not shown."
    return "You can see, download, withdraw and take along everything; what waits in line keeps its place."


def _of(by: Actor) -> dict[str, UUID | None]:
    membership, token = by.membership, by.guest_pass.token if by.guest_pass else by.token
    return {
        "token": token.pk if token else None,
        "session": by.session,
        "guest_pass": by.guest_pass.pk if by.guest_pass else None,
        "artist": membership.user_id if by.guest_pass and membership else by.user.pk if by.user else None,
        "cohort": membership.cohort_id if membership else None,
    }


def _admin(by: Actor) -> User | None:
    """Who answers for it: an admin, or nobody in person (the command line, a sighting)."""
    return None if by == actors.SYSTEM else by.must_be_admin()


def _until(brake: Brake) -> str:
    return f", until {brake.ends_at:%-d %B %Y, %H:%M} UTC" if brake.ends_at else ""
