"""Somebody goes for good: what is personal of them is erased, and what stays is told before, with its reason.

1. `ask`: their membership ends at once and what waits for a reviewer is taken back. For DEPARTURE_DAYS they can change
   their mind (`cancel`); everything of theirs is still there.
2. `run`, by a chore: doors shut first, for good, and a last letter is written; then step by step, a batch a
   transaction, each of which can be done again. How far it came stands in the row, so a kill costs one batch.
3. What is written once by the database's own rules is erased by them too: only while a departure runs, and to nothing
   else than `(erased)`. Details of the log are erased by a function of its owner, which writes down that it did.
4. What stays on view, because its artist wanted that, is taken back by a link, without an account (`take_back`).
"""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, audit, keys, members, notices, refusals, states
from gateway.actors import Actor
from gateway.models import Departure, User
from review import publishing, submissions
from review.departure import stays, steps
from review.departure.stays import Stays, what_stays
from review.models import Publication, Submission

__all__ = ["Stays", "ask", "cancel", "find", "left", "on_view", "open_of", "run", "run_due", "take_back", "what_stays"]

log = logging.getLogger(__name__)
BUDGET = 5.0  # seconds at a time: mail and decisions wait behind it


def ask(*, by: Actor, kind: str, keeps_public: bool = False) -> Departure:
    """Ask to be erased: `anonymise` or `delete`, in DEPARTURE_DAYS. In person: no token may.

    Raises SignInFirst, MissingScope, StillOnDuty, AlreadyDeparting.
    """
    by.must_have("leave")
    if by.user is None:
        raise refusals.SignInFirst
    if by.user.is_reviewer or by.user.is_staff:
        raise refusals.StillOnDuty
    person = actors.person(by.user)  # as they stand now
    stay = what_stays(by.user, kind, keeps_public=keeps_public)
    try:
        with atomic():
            asked = Departure.objects.create(
                user=by.user,
                kind=kind,
                keeps_public=keeps_public,
                due_at=Now() + timedelta(days=settings.DEPARTURE_DAYS),
            )
            asked.refresh_from_db()
            facts = {"kind": kind, "keeps_public": keeps_public}
            audit.record("departure.asked", by=by, subject=asked, facts=facts)
            if person.membership is not None:
                members.leave(by=by)
            waiting = Submission.objects.filter(membership__user=by.user).exclude(state__in=["rejected", "withdrawn"])
            for submission in waiting.filter(publication__isnull=True).select_related("membership"):
                submissions.withdraw(submission, by=by)
            notices.tell(
                by.user,
                f"On {asked.due_at:%-d %B} you will be erased here",
                f"You asked for it on {asked.created_at:%-d %B %Y}. Until {asked.due_at:%-d %B %Y, %H:%M} UTC you can "
                "change your mind, and take everything along, by the link below. If it was not you who asked, sign "
                f"in, change your mind, and change your password.\n\n{stay.as_text()}",
                path="/leave",
            )
    except IntegrityError as error:
        if "one_departure_a_person" not in str(error):
            raise
        found = open_of(by)
        raise refusals.AlreadyDeparting(due=f"{found.due_at:%-d %B %Y}" if found else "soon") from None
    return asked


def cancel(departure: Departure, *, by: Actor) -> None:
    """Stay after all: nothing is erased. The place that they gave up stays given up.

    Raises NotFound for somebody else's, MissingScope, TooLateToStay, WrongState when it was cancelled already.
    """
    by.must_have("leave")
    if by.user is None or departure.user_id != by.user.pk:
        raise refusals.NotFound
    try:
        with atomic():
            states.move(departure, "cancelled", by=by, when=Q(begun_at__isnull=True), ended_at=Now())
            notices.tell(
                by.user,
                "You stay, and nothing is erased",
                "You changed your mind. Everything of yours is here as before. Your place in the cohort had ended and "
                "stays so: to make new works you are invited or ask anew.",
                path="/home",
            )
    except refusals.WrongState:
        if departure.begun_at is not None:
            raise refusals.TooLateToStay from None
        raise


def open_of(by: Actor) -> Departure | None:
    """What they have asked for and what is not done yet."""
    return Departure.objects.filter(user=by.user, state="asked").first() if by.user else None


def on_view(user: User) -> int:
    """How many works of theirs the public sees."""
    return stays.shown(user).count()


def run_due() -> int:
    """Go on with every departure that is due, each for some seconds; return how many are done with that."""
    due = Departure.objects.filter(state="asked", due_at__lte=Now()).select_related("user").order_by("due_at")
    return sum(_try(departure) for departure in list(due[:20]))


def run(departure: Departure, *, budget: float = BUDGET) -> bool:
    """Go on with one that is due, where it was left, for `budget` seconds; whether it is done."""
    until = time.monotonic() + budget
    try:
        steps.begin(departure)
        while True:
            departure.refresh_from_db()
            number = departure.figures.get("step", 0)
            if number == len(steps.STEPS):
                return steps.finish(departure)
            after = steps.STEPS[number](departure, departure.figures.get("after", ""))
            left_off = {"step": number + 1} if after is None else {"step": number, "after": after}
            Departure.objects.filter(pk=departure.pk, state="asked").update(figures=left_off)
            if time.monotonic() > until:
                return False
    except steps.Elsewhere:
        return False


def _try(departure: Departure) -> bool:
    try:
        return run(departure)
    except Exception:  # whatever it is: the others' come next, and this one's again at the next turn
        log.exception("departure %s could not go on", departure.pk)
        return False


def find(secret: str) -> Departure:
    """The departure by whose last letter this link came. Raises NotFound."""
    found = None
    if keys.well_formed(secret, steps.KIND):
        found = Departure.objects.select_related("user").filter(digest=keys.digest(secret), state="done").first()
    if found is None:
        raise refusals.NotFound
    return found


def left(departure: Departure) -> QuerySet[Publication]:
    """What is still on view of theirs."""
    return stays.shown(departure.user).select_related("revision", "submission__membership").order_by("-id")


def take_back(departure: Departure, publication: UUID | None = None) -> None:
    """By the link: one work goes off view at once, or all do and nothing is kept; then they are erased.

    Raises NotFound when it is not on view.
    """
    person = actors.person(departure.user)
    rows = left(departure) if publication is None else left(departure).filter(pk=publication)
    found = list(rows)
    if publication is not None and not found:
        raise refusals.NotFound
    kind = "delete" if publication is None else departure.kind
    with atomic():
        for row in found:
            publishing.withdraw(row, by=person)
        begun = Departure.objects.filter(user=departure.user, state="asked")
        if not begun.update(figures={}):  # what runs already begins anew
            again = Departure.objects.create(
                user=departure.user, kind=kind, keeps_public=publication is not None, due_at=Now()
            )
            audit.record("departure.asked", by=person, subject=again, facts={"kind": kind})
