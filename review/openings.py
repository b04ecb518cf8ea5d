"""Private works stay private: an admin sees that one exists, and opens it only for a reason that its artist reads."""

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, notices, refusals
from gateway.actors import Actor
from generation.models import Generation
from review.models import Opening

LONGEST = 2000


def begin(generation: Generation, *, by: Actor, reason: str) -> Opening:
    """Open this work for a quarter of an hour; its artist is told at once, with the reason.

    Raises AdminsOnly, ReasonNeeded.
    """
    admin = by.must_be_admin()
    reason = reason.strip()
    if not reason or len(reason) > LONGEST:
        raise refusals.ReasonNeeded(param="reason")
    with atomic():
        made = Opening.objects.create(admin=admin, generation=generation, reason=reason)
        made.refresh_from_db()
        audit.record("work.opened", by=by, subject=made, facts={"generation": generation.pk}, detail={"reason": reason})
        notices.tell(
            generation.membership.user,
            f"{admin} opened a work of yours",
            f"{admin} can look at its clip, prompt and settings until {made.ends_at:%H:%M} UTC, and change nothing."
            f"\n\nTheir reason: {reason}",
            path=f"/mine/{generation.pk.hex}",
        )
    return made


def live(by: Actor) -> QuerySet[Opening]:
    """What `by` has opened and may look at at this moment. Raises AdminsOnly."""
    return Opening.objects.filter(admin=by.must_be_admin(), ends_at__gt=Now())


def look(generation: Generation, *, by: Actor) -> Opening | None:
    """The opening under which `by` sees this work, if there is one; the look is recorded. Looks of a minute are one."""
    opening = live(by).filter(generation=generation).order_by("-id").first()
    if opening is not None:
        lately = audit.of(opening).filter(action="work.viewed", at__gt=Now() - timedelta(minutes=1))
        if not lately.exists():
            audit.record("work.viewed", by=by, subject=opening)
    return opening
