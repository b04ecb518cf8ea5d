"""Who looked at a work, and why: reviewers while they held it, and admins for a reason that they typed.

Reviewers have a role here, not a name. For how long one held a work is told once it was let go, or answered in effect:
a hold that ended in an answer which can still be undone looks like one that goes on.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway import impersonations
from gateway.models import Entry, Impersonation
from generation.models import Generation
from review.models import Appeal, Decision, Opening, Submission

REVIEWER = "A reviewer"
REVIEW = "to review it"
HEARING = "to hear your appeal"
ACTS = (
    *("submission.taken", "submission.viewed", "submission.released", "submission.submitted", "appeal.open"),
    *(f"decision.{verdict}" for verdict in Decision.VERDICTS if verdict != "take_down"),
)


@dataclass
class Look:
    """Somebody looked: who, why, how often (looks of one minute are one), and for how long they held it, if known."""

    at: datetime
    who: str
    why: str
    times: int = 0
    held: timedelta | None = None
    said: bool = False  # whether `why` is what they typed

    @property
    def held_for(self) -> str:
        """In words, to the second."""
        if self.held is None:
            return ""
        minutes, seconds = divmod(max(1, round(self.held.total_seconds())), 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def at_work(generation: Generation) -> list[Look]:
    """Everybody who looked at this work, the latest first: reviewers, admins who opened it or looked as its artist."""
    found = [*_reviewers(generation), *_opened(generation), *_admins(generation)]
    return sorted(found, key=lambda look: look.at, reverse=True)


@dataclass
class _Desk:
    """What is known of one submission while its entries are read in their order."""

    why: str = REVIEW
    holder: UUID | None = None
    look: Look | None = None


def _reviewers(generation: Generation) -> list[Look]:
    about = _subjects(generation)
    desks: dict[UUID, _Desk] = defaultdict(_Desk)
    found: list[Look] = []
    for entry in Entry.objects.filter(subject_id__in=about, action__in=ACTS).order_by("id"):
        desk, act = desks[about[entry.subject_id]], entry.action  # type: ignore[index]
        if act in ("appeal.open", "submission.submitted"):
            if "facts" in json.loads(bytes(entry.body)):  # else it is a reviewer's undo
                desk.why = HEARING if act == "appeal.open" else REVIEW
        elif act in ("submission.taken", "submission.viewed"):
            if act == "submission.taken" or desk.look is None or desk.holder != entry.actor_id:
                desk.holder, desk.look = entry.actor_id, Look(entry.at, REVIEWER, desk.why)
                found.append(desk.look)
            desk.look.times += act == "submission.viewed"
        elif desk.look is not None and desk.holder == entry.actor_id:
            desk.look.held = entry.at - desk.look.at
    return found


def _subjects(generation: Generation) -> dict[UUID, UUID]:
    """Whose entries tell of it, and of which submission: those that showed it, their appeals and answers in effect."""
    shown = Submission.objects.filter(revisions__output__generation=generation)
    rows = {pk: pk for pk in shown.values_list("pk", flat=True)}
    if not rows:
        return {}
    appealed = Appeal.objects.filter(decision__revision__submission__in=rows)
    answered = Decision.objects.effective().filter(revision__submission__in=rows)
    return {
        **rows,
        **dict(appealed.values_list("pk", "decision__revision__submission")),
        **dict(answered.values_list("pk", "revision__submission")),
    }


def _opened(generation: Generation) -> Iterator[Look]:
    rows = {row.pk: row for row in Opening.objects.filter(generation=generation).select_related("admin")}
    viewed = Entry.objects.filter(subject_id__in=rows, action="work.viewed")
    times = Counter(viewed.values_list("subject_id", flat=True))
    for row in rows.values():
        yield Look(row.created_at, f"{row.admin}, an admin", row.reason, times[row.pk], said=True)


def _admins(generation: Generation) -> Iterator[Look]:
    visits = list(
        Impersonation.objects.select_related("admin")
        .filter(artist=generation.membership.user_id, ends_at__gt=generation.created_at)
        .order_by("-created_at")[:50]
    )
    looks = impersonations.seen(visits)
    for visit in visits:
        here = [look for look in looks[visit.pk] if generation.pk.hex in look.path]
        if here:
            times = sum(look.times for look in here)
            yield Look(here[0].first_at, f"{visit.admin}, an admin, looking as you", visit.reason, times, said=True)
