"""What waits for an admin, room by room: counted at the moment of asking, by a constant number of queries."""

from dataclasses import dataclass

from django.db.models import Count, Exists, Min, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.timesince import timesince

from gateway import contributions, pulses, terms
from gateway.models import AccessRequest, Brake, Invitation, Membership, Sighting, TermsAcceptance
from generation.models import Generation
from review.models import Report, Submission


@dataclass(frozen=True)
class Room:
    """A room of the program: how much waits there for a hand, and how things stand otherwise."""

    name: str
    href: str
    waits: int
    words: str


def rooms() -> list[Room]:
    """Every room that an admin keeps, those where something waits first."""
    found = [_sightings(), _reports(), _requests(), _contributions(), _brakes(), _members(), _reviews(), _line()]
    return sorted(found, key=lambda room: room.waits == 0)


def _sightings() -> Room:
    seen = Sighting.objects.filter(state="open").aggregate(
        n=Count("pk"), explained=Count("pk", filter=Q(explained_at__isnull=False))
    )
    words = f"{seen['explained']} explained by their owners" if seen["n"] else "nothing looks leaked"
    return Room("Sightings", "/program/sightings", seen["n"], words)


def _reports() -> Room:
    made = Report.objects.waiting().aggregate(
        n=Count("pk"), late=Count("pk", filter=Q(due_at__lt=Now())), due=Min("due_at")
    )
    words = (
        f"{made['late']} overdue, the first is due {made['due']:%-d %B}" if made["n"] else "no public work is reported"
    )
    return Room("Reports", "/program/reports", made["n"], words)


def _requests() -> Room:
    asked = AccessRequest.objects.filter(state="requested").aggregate(
        n=Count("pk"), late=Count("pk", filter=Q(due_at__lt=Now())), due=Min("due_at")
    )
    invited = Invitation.objects.open().count()
    words = f"{asked['late']} overdue, the first is due {asked['due']:%-d %B}; " if asked["n"] else ""
    return Room("Requests for access", "/program/requests", asked["n"], f"{words}{_number(invited, 'open invitation')}")


def _contributions() -> Room:
    undecided = contributions.waiting().count()
    owed = "; ".join(f"{figure.shown['owed']} owed" for figure in contributions.figures(contributions.everybodys()))
    return Room("Contributions", "/program/contributions", undecided, owed or "nothing owed")


def _brakes() -> Room:
    pulled = Brake.objects.in_force().count()
    return Room("Brakes", "/program/brakes", pulled, "in force" if pulled else "none is pulled")


def _members() -> Room:
    accepted = TermsAcceptance.objects.filter(terms=terms.current(), user=OuterRef("user"))
    here = Membership.objects.exclude(state="left").aggregate(
        active=Count("pk", filter=Q(state="active")),
        suspended=Count("pk", filter=Q(state="suspended")),
        behind=Count("pk", filter=~Q(Exists(accepted))),
    )
    words = f"{here['active']} active, {here['suspended']} suspended; {here['behind']} have yet to accept the terms"
    return Room("Members", "/program/members", 0, words)


def _reviews() -> Room:
    waiting = Submission.objects.waiting().aggregate(n=Count("pk"), late=Count("pk", filter=Q(due_at__lt=Now())))
    words = f"{waiting['n']} wait for a reviewer, {waiting['late']} past the hour that was promised"
    return Room("Review", "/program/queues", waiting["late"], words)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _line() -> Room:
    line = Generation.objects.filter(state__in=["queued", "in_progress"]).aggregate(
        queued=Count("pk", filter=Q(state="queued")),
        drawn=Count("pk", filter=Q(state="in_progress")),
        oldest=Min("created_at", filter=Q(state="queued")),
    )
    workers = pulses.live().filter(kind="gpu").count()
    since = f", the oldest for {timesince(line['oldest'], timezone.now())}" if line["oldest"] else ""
    words = f"{line['queued']} in line{since}; {line['drawn']} being drawn by {_number(workers, 'worker')}"
    stuck = line["queued"] if line["queued"] and not workers else 0
    return Room("The line", "/program/fleet", stuck, words)
