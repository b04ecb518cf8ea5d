"""What the reviewer's pages share: the lanes with their counts, one's keys, and what an answer is called."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from gateway.actors import Actor
from review import queue, shortcuts
from review.forms import KeysForm
from review.models import Decision, Submission

LANES = {"first": "First looks", "second": "Second looks", "escalated": "Escalated", "appeal": "Appeals"}
SAID = {
    "approve": "Approved",
    "request_changes": "Changes requested",
    "reject": "Rejected",
    "escalate": "Escalated",
    "take_down": "Taken down",
    "uphold": "Let stand",
    "overturn": "Overturned",
}


def around(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """What stands around each of these pages."""
    preferences = shortcuts.preferences(actor.must_be_reviewer())
    lanes, lane = queue.lanes_for(actor), chosen(request)
    return {
        "lanes": [{"slug": slug, "name": name, "count": counted([lanes[slug]])} for slug, name in LANES.items()],
        "waiting_count": counted(lanes.values()),
        "count": counted([lanes[lane]] if lane else lanes.values()),
        "chosen": lane,
        "lane_name": LANES.get(lane),
        "keys": shortcuts.effective(preferences),
        "keys_form": KeysForm(preferences=preferences),
    }


def counted(numbers: Iterable[int]) -> int | str:
    """Their sum, or that it is more than anybody counts."""
    found = list(numbers)
    return f"{sum(found):,}+" if any(number >= queue.MANY for number in found) else sum(found)


def chosen(request: HttpRequest) -> str:
    """The lane in which somebody works, or nothing for all."""
    lane = request.POST.get("lane") or request.GET.get("lane") or ""
    return lane if lane in Submission.LANES else ""


def to_queue(lane: str) -> str:
    """The address of the queue in this lane."""
    return f"/review?lane={lane}" if lane else "/review"


def to_desk(submission: Submission, lane: str) -> str:
    """The address of a work on one's desk, with the lane from which it came."""
    return f"/review/{submission.pk.hex}" + (f"?lane={lane}" if lane else "")


def said(decision: Decision) -> str:
    """What became of it, in a word or two."""
    if decision.role == "appeal" and decision.verdict == "approve":
        return SAID["overturn"]
    if decision.role == "default":
        return "Approved, by silence"
    return SAID[decision.verdict] + (", first of two" if decision.role == "first" else "")


def lately(actor: Actor, most: int) -> list[Decision]:
    """One's own latest answers, each with `said` and whether it can still be undone."""
    now = timezone.now()
    rows = Decision.objects.filter(reviewer=actor.user).exclude(role="take_down")
    found = list(rows.select_related("revision__submission").order_by("-id")[:most])
    for decision in found:
        decision.said = said(decision)  # type: ignore[attr-defined]
        decision.can_undo = (  # type: ignore[attr-defined]
            decision.undone_at is None and decision.announced_at is None and decision.effective_at > now
        )
    return found


def undo_seconds() -> int:
    """How long an answer can be undone."""
    return int(settings.UNDO_SECONDS)
