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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, connection
from django.db.models import F, Func, Q, QuerySet, Value
from django.db.models.functions import Now
from django.db.transaction import atomic, on_commit

from gateway import access_requests, actors, audit, keys, members, notices, refusals, sessions, states, tokens, traces
from gateway.actors import Actor
from gateway.models import AccessRequest, Departure, GuestPass, Notice, SignInLink, Token, User
from gateway.triggers import ERASED
from generation import endings, guests, media
from generation.models import Generation
from review import appeals, publishing, submissions
from review.departure import stays
from review.departure.stays import Stays, what_stays
from review.departure.texts import TABLES
from review.models import Appeal, Publication, Submission

__all__ = ["Stays", "ask", "cancel", "find", "left", "on_view", "open_of", "run", "run_due", "take_back", "what_stays"]

log = logging.getLogger(__name__)
KIND = "departure"
NOBODY_ANY_MORE = "Somebody who left"
WORKS, ENTRIES, ROWS = 50, 1000, 500  # a batch
BUDGET = 5.0  # seconds at a time: mail and decisions wait behind it


class Elsewhere(Exception):
    """Another process is at it, or it has ended."""


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
        _begin(departure)
        while True:
            departure.refresh_from_db()
            number = departure.figures.get("step", 0)
            if number == len(STEPS):
                return _finish(departure)
            after = STEPS[number](departure, departure.figures.get("after", ""))
            left_off = {"step": number + 1} if after is None else {"step": number, "after": after}
            Departure.objects.filter(pk=departure.pk, state="asked").update(figures=left_off)
            if time.monotonic() > until:
                return False
    except Elsewhere:
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
    if keys.well_formed(secret, KIND):
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


# ---------------------------------------------------------------- one thing after the other


def _begin(departure: Departure) -> None:
    """The doors shut, for good; from here on there is no way back."""
    user, person = departure.user, actors.person(departure.user)
    with atomic():
        ready = Departure.objects.filter(pk=departure.pk, state="asked", begun_at__isnull=True, due_at__lte=Now())
        if not ready.update(begun_at=Now()):
            return
        audit.record("departure.begun", by=actors.SYSTEM, subject=departure)
        if user.is_active:
            _say_farewell(departure)
        if person.membership is not None:  # given to them meanwhile
            members.leave(by=person)
        for asked in AccessRequest.objects.filter(email__iexact=user.email, state="requested"):
            access_requests.withdraw(asked, by=person)
        for token in Token.objects.live().filter(user=user):
            tokens.revoke(token, by=actors.SYSTEM)
        seen = [("session", keys.alias(session.session_key)) for session in UserSession.objects.filter(user=user)]
        seen += [("token", pk) for pk in Token.objects.filter(user=user).values_list("pk", flat=True)]
        sessions.end_others(by=person, keep=None)
        SignInLink.objects.filter(user=user).delete()
        Authenticator.objects.filter(user=user).delete()
        User.objects.filter(pk=user.pk).update(is_active=False, password=make_password(None), last_login=None)
        on_commit(partial(_forget, seen), robust=True)


def _forget(credentials: list[tuple[str, UUID]]) -> None:
    for scope, target in credentials:
        traces.forget(scope, target)


def _say_farewell(departure: Departure) -> None:
    user, link, told = departure.user, "", ""
    if departure.keeps_public and stays.shown(user).exists():
        secret = keys.make(KIND)
        Departure.objects.filter(pk=departure.pk).update(digest=keys.digest(secret))
        link = f"/departed/{secret}"
        told = (
            "\n\nThe link below is the one way to take back what stays on view. Keep it; nobody can give you another."
        )
    stay = what_stays(user, departure.kind, keeps_public=departure.keeps_public)
    letter = notices.write_to(
        user.email,
        "You are being erased, as you asked",
        "It has begun, and this is the last letter that you get: after it your address is erased too.\n\n"
        f"{stay.as_text()}\n\nNot reached are copies that others made of what was public, letters that were mailed, "
        f"and the operator's backups until they run out.{told}",
        path=link,
    )
    Departure.objects.filter(pk=departure.pk).update(farewell=letter.pk)


@contextmanager
def _batch(departure: Departure) -> Iterator[None]:
    """A transaction in which the database lets be erased what is this person's. Raises Elsewhere."""
    with atomic():
        held = Departure.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            pk=departure.pk, state="asked", begun_at__isnull=False
        )
        if held.first() is None:
            raise Elsewhere
        with connection.cursor() as cursor:
            cursor.execute("select set_config('gateway.departure', %s, true)", [str(departure.pk)])
        yield


def _withdraw(departure: Departure, after: str) -> str | None:
    """What is asked for or public is taken back, but for what stays on view."""
    person = actors.person(departure.user)
    mine = Submission.objects.filter(membership__user=departure.user)
    asked = ~Q(state__in=["rejected", "withdrawn"])
    if departure.keeps_public:
        asked &= ~Q(publication__state="published")
    with _batch(departure):
        for appeal in Appeal.objects.filter(decision__revision__submission__in=mine, state="open"):
            appeals.withdraw(appeal, by=person)
        rows = list(mine.filter(asked).select_related("membership").order_by("pk")[:WORKS])
        for row in rows:
            submissions.withdraw(row, by=person)
    return "again" if len(rows) == WORKS else None


def _stop(departure: Departure, after: str) -> str | None:
    """What was lent is taken back; what is in line or being drawn ends, and its credits come back."""
    lent = GuestPass.objects.filter(membership__user=departure.user, state="open").select_related("membership")
    for guest_pass in lent:
        guests.revoke(guest_pass, by=actors.SYSTEM)
    going = Generation.objects.filter(membership__user=departure.user).exclude(state__in=Generation.ENDED)
    for generation in going:
        try:
            endings.give_up(generation, "cancelled", by=actors.SYSTEM)
        except refusals.WrongState:
            continue  # it ended by itself
    return None


def _works(departure: Departure, after: str) -> str | None:
    """Files and prompts. First the files: one that is gone already is no error, so a kill in between costs nothing."""
    rows = Generation.objects.filter(membership__user=departure.user).order_by("pk")
    batch = list(rows.filter(pk__gt=after)[:WORKS] if after else rows[:WORKS])
    kept = _kept(departure, [work.pk for work in batch])
    for work in batch:
        if work.pk not in kept:
            media.erase(work)
    with _batch(departure):
        written = Generation.objects.filter(pk__in=[work.pk for work in batch]).exclude(prompt=ERASED)
        number = written.update(prompt=ERASED, error_message="", notes=[], once=None)
        if number:
            audit.record("departure.erased", by=actors.SYSTEM, subject=departure, facts={"works": number})
    return str(batch[-1].pk) if len(batch) == WORKS else None


def _about(departure: Departure, after: str) -> str | None:
    """Details of the log about rows of theirs, before the rows forget whose they are."""
    number, _, last = (after or "0:").partition(":")
    table = TABLES[int(number)]
    rows = table.rows(departure.user).order_by("pk")
    found = list((rows.filter(pk__gt=last) if last else rows).values_list("pk", flat=True)[:ROWS])
    if found:
        with _batch(departure), connection.cursor() as cursor:
            cursor.execute("select audit.erase_about(%s, %s::uuid[])", [departure.pk, found])
    if len(found) == ROWS:
        return f"{number}:{found[-1]}"
    return f"{int(number) + 1}:" if int(number) + 1 < len(TABLES) else None


def _texts(departure: Departure, after: str) -> str | None:
    """What was written, table by table."""
    number = int(after or 0)
    table = TABLES[number]
    with _batch(departure):
        rows = table.written(departure.user, _shown(departure))
        if table.columns and (erased := rows.update(**table.erased())):
            facts = {"table": table.model.__name__.lower(), "rows": erased}
            audit.record("departure.erased", by=actors.SYSTEM, subject=departure, facts=facts)
    return str(number + 1) if number + 1 < len(TABLES) else None


def _own(departure: Departure, after: str) -> str | None:
    """Details of the log of what they did."""
    with _batch(departure), connection.cursor() as cursor:
        cursor.execute("select last from audit.erase_own(%s, %s, %s)", [departure.pk, after or UUID(int=0), ENTRIES])
        last = cursor.fetchone()[0]
    return str(last) if last is not None else None


STEPS: tuple[Callable[[Departure, str], str | None], ...] = (_withdraw, _stop, _works, _about, _texts, _own)


def _finish(departure: Departure) -> bool:
    """The last letter has gone, or will not go: address and name are erased, and with that it is done."""
    user = departure.user
    waits = Notice.objects.filter(mailed_at__isnull=True, attempts__lt=notices.ATTEMPTS)
    if departure.farewell is not None and waits.filter(pk=departure.farewell).exists():
        return False
    placeholder = f"departed-{user.pk.hex}@departed.invalid"  # RFC 2606: nobody ever has an address there
    with _batch(departure):
        addresses = EmailAddress.objects.filter(user=user)
        Notice.objects.filter(
            Q(user=user) | Q(email__iexact=user.email) | Q(email__in=addresses.values("email"))
        ).delete()
        if user.name != NOBODY_ANY_MORE:
            _unname(user)
        addresses.delete()
        User.objects.filter(pk=user.pk).update(email=placeholder, name=NOBODY_ANY_MORE, studio="")
        works = list(Generation.objects.filter(membership__user=user).values_list("pk", flat=True))
        figures = {
            "works": len(works),
            "clips_kept": len(_kept(departure, works)),
            "on_view": len(_shown(departure)),
        }
        states.move(departure, "done", by=actors.SYSTEM, ended_at=Now(), farewell=None, figures=figures, facts=figures)
    return True


def _unname(user: User) -> None:
    """Letters to others that name them do so no more."""
    for name in filter(None, (user.name, user.email)):
        named = Notice.objects.filter(Q(subject__contains=name) | Q(body__contains=name))
        named.update(subject=_without("subject", name), body=_without("body", name))


def _without(column: str, name: str) -> Func:
    """The text of a column without this name, where it stands as a word of its own."""
    escaped = "".join(letter if letter.isalnum() else f"\\{letter}" for letter in name)
    pattern = rf"(?<!\w){escaped}(?!\w)"
    return Func(F(column), Value(pattern), Value(NOBODY_ANY_MORE.lower()), Value("g"), function="regexp_replace")


def _shown(departure: Departure) -> list[UUID]:
    """Publications that stay on view."""
    return list(stays.shown(departure.user).values_list("pk", flat=True)) if departure.keeps_public else []


def _kept(departure: Departure, works: list[UUID]) -> set[UUID]:
    """Of `works` those whose files stay: on view, or, of who is made anonymous, given to train or to study."""
    if departure.kind == "delete":
        return set()
    shown: Any = Publication.objects.filter(pk__in=_shown(departure))
    on_view = set(shown.values_list("revision__output__generation", flat=True))
    return (on_view & set(works)) | set(stays.given(departure.user, works))
