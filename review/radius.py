"""What a brake would stop, before it is pulled; pulling it and letting go, with those told whom it touches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway import actors, brakes, keys, refusals
from gateway.actors import Actor
from gateway.models import Brake, Cohort, GuestPass, Membership, Token, User
from gateway.models.brakes import SCOPES
from generation.models import Generation, ModelProfile
from review.models import Publication

HINTS = {
    "token": "Name it by its id, or by its last four characters",
    "guest_pass": "Name it by its id, by its last four characters, or by its whole link",
    "session": "Name it by its id, as a sighting states it",
    "artist": "Name them by e-mail address, or by their whole name",
    "cohort": "Name it as the cohort is called",
    "model": "Name it by its short name, such as cogvideox-5b",
    "publication": "Name it by its page's address, or by the id in it",
}


@dataclass(frozen=True)
class Radius:
    """What hangs on a target: how many people, keys, clips and works a brake on it would touch."""

    scope: str
    target: UUID | None
    label: str
    counts: dict[str, int]
    names: list[str]


def find(scope: str, which: str) -> tuple[UUID | None, str]:
    """The target's id and what to call it. Raises NothingToStop when it is unknown, or is not the only one."""
    if scope == "all":
        return None, "everything"
    which = which.strip()
    if scope == "session":
        if (session := _id(which)) is None:
            raise _nothing(scope, which)
        return session, "a browser session"
    found = list(FIND[scope](which)[:2]) if scope in FIND and which else []
    if len(found) != 1:
        raise _nothing(scope, which)
    return found[0].pk, LABELS[scope](found[0])


def of(scope: str, target: UUID | None, label: str) -> Radius:
    """Count what a brake on `target` would touch, by a constant number of queries."""
    generations = _generations(scope, target)
    people = touched(scope, target)
    counts = {
        "people": people.count(),
        "tokens": _tokens(scope, target).count(),
        "guest_passes": _guest_passes(scope, target).count(),
        "waiting": generations.filter(state="queued").count(),
        "running": generations.filter(state="in_progress").count(),
        "public": _publications(scope, target).count(),
    }
    return Radius(scope, target, label, counts, list(people.order_by("name").values_list("name", flat=True)[:20]))


def pull(
    scope: str,
    which: str,
    *,
    by: Actor,
    reason: str,
    closes: bool = False,
    minutes: int | None = None,
) -> Brake:
    """Put a brake on what `which` names, for so many minutes or until its release, and tell those whom it touches.

    Raises AdminsOnly, NothingToStop, BrakeNeedsReason.
    """
    if by != actors.SYSTEM:
        by.must_be_admin()
    target, label = find(scope, which)
    ends_at: datetime | None = timezone.now() + timedelta(minutes=minutes) if minutes else None
    return brakes.pull(
        scope,
        target,
        by=by,
        label=label,
        reason=reason,
        closes=closes,
        ends_at=ends_at,
        source="command" if by == actors.SYSTEM else "admin",
        tell=touched(scope, target),
    )


def release(brake: Brake, *, by: Actor, why: str = "") -> None:
    """Let go, and tell those whom it touched. Raises AdminsOnly, WrongState."""
    brakes.release(brake, by=by, why=why, tell=touched(brake.scope, brake.target))


def put_away() -> int:
    """Release what has reached its end, and say so; return how many."""
    gone = 0
    for brake in brakes.ended():
        try:
            release(brake, by=actors.SYSTEM, why="Its time was over.")
        except refusals.WrongState:
            continue
        gone += 1
    return gone


def touched(scope: str, target: UUID | None) -> QuerySet[User]:
    """Whom a brake on `target` touches: they read its reason."""
    here = Membership.objects.exclude(state="left")
    which = {
        "all": Q(is_reviewer=True) | Q(pk__in=here.values("user")),
        "cohort": Q(pk__in=here.filter(cohort=target).values("user")),
        "artist": Q(pk=target),
        "token": Q(tokens=target),
        "guest_pass": Q(memberships__guest_passes=target),
        "model": Q(pk__in=_generations(scope, target).values("membership__user")),
        "publication": Q(memberships__submissions__publication=target),
    }.get(scope)  # a session's owner is told by the sighting that named it
    people = User.objects.filter(is_active=True)
    return people.none() if which is None else people.filter(which)


def _generations(scope: str, target: UUID | None) -> QuerySet[Generation]:
    which = {
        "all": Q(),
        "token": Q(token=target),
        "guest_pass": Q(guest_pass=target),
        "artist": Q(membership__user=target),
        "cohort": Q(membership__cohort=target),
        "model": Q(model=target),
    }.get(scope)
    live = Generation.objects.filter(state__in=["queued", "in_progress"])
    return live.none() if which is None else live.filter(which)


def _tokens(scope: str, target: UUID | None) -> QuerySet[Token]:
    which = {
        "all": Q(),
        "token": Q(pk=target),
        "artist": Q(user=target),
        "cohort": Q(membership__cohort=target),
    }.get(scope)
    return Token.objects.none() if which is None else Token.objects.live().filter(which)


def _guest_passes(scope: str, target: UUID | None) -> QuerySet[GuestPass]:
    which = {
        "all": Q(),
        "token": Q(token=target),
        "guest_pass": Q(pk=target),
        "artist": Q(membership__user=target),
        "cohort": Q(membership__cohort=target),
    }.get(scope)
    return GuestPass.objects.none() if which is None else GuestPass.objects.in_force().filter(which)


def _publications(scope: str, target: UUID | None) -> QuerySet[Publication]:
    """What a brake that closes would take off the public pages; one on a publication always does."""
    which = {
        "all": Q(),
        "publication": Q(pk=target),
        "artist": Q(submission__membership__user=target),
        "cohort": Q(submission__membership__cohort=target),
    }.get(scope)
    shown = Publication.objects.public()
    return shown.none() if which is None else shown.filter(which)


def _id(text: str) -> UUID | None:
    """The id in `text`, which may be an address or bear a noun before it."""
    try:
        return UUID(hex=text.rstrip("/").rpartition("/")[2].rpartition("_")[2])
    except ValueError:
        return None


def _by_id(queryset: QuerySet[Any], which: str, otherwise: Q | None = None) -> QuerySet[Any]:
    pk = _id(which)
    if pk is not None:
        return queryset.filter(pk=pk)
    return queryset.filter(otherwise) if otherwise is not None else queryset.none()


FIND: dict[str, Callable[[str], QuerySet[Any]]] = {
    "token": lambda which: _by_id(Token.objects.live(), which, Q(last_four=which)),
    "guest_pass": lambda which: _by_id(
        GuestPass.objects.in_force(), which, Q(last_four=which) | Q(digest=keys.digest(which.rpartition("/")[2]))
    ),
    "artist": lambda which: User.objects.filter(Q(email__iexact=which) | Q(name__iexact=which)),
    "cohort": lambda which: Cohort.objects.filter(name__iexact=which),
    "model": lambda which: ModelProfile.objects.filter(slug=which.lower()),
    "publication": lambda which: _by_id(Publication.objects.select_related("revision"), which),
}
LABELS: dict[str, Callable[[Any], str]] = {
    "token": lambda token: f"the token “{token.label}” (…{token.last_four})",
    "guest_pass": lambda guest_pass: f"the guest pass “{guest_pass.label}” (…{guest_pass.last_four})",
    "artist": lambda user: user.name,
    "cohort": lambda cohort: f"the cohort “{cohort.name}”",
    "model": lambda model: f"the model {model.name}",
    "publication": lambda publication: f"the work “{publication.revision.title}”",
}


def _nothing(scope: str, which: str) -> refusals.NothingToStop:
    hint = HINTS.get(scope, f"It is one of {', '.join(SCOPES)}")
    return refusals.NothingToStop(scope=scope.replace("_", " "), which=which, hint=hint, param="which")
