"""What is done of a departure, one batch after the other. Each can be done again: a kill costs one batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.db.transaction import atomic, on_commit

from gateway import (
    access_requests,
    actors,
    audit,
    keys,
    members,
    notices,
    refusals,
    sessions,
    states,
    tokens,
    traces,
    webhooks,
)
from gateway.models import AccessRequest, Departure, GuestPass, KeyedRequest, Notice, SignInLink, Token, User
from gateway.triggers import ERASED
from generation import endings, guests, media
from generation.models import Generation
from review import appeals, submissions
from review.departure import stays
from review.departure.texts import TABLES
from review.models import Appeal, Fingerprint, Publication, Submission

KIND = "departure"  # of the link's secret
NOBODY_ANY_MORE = "Somebody who left"
WORKS, ENTRIES, ROWS = 50, 1000, 500  # a batch


class Elsewhere(Exception):
    """Another process is at it, or it has ended."""


def begin(departure: Departure) -> None:
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
        webhooks.forget(user)
        seen = [("session", keys.alias(session.session_key)) for session in UserSession.objects.filter(user=user)]
        seen += [("token", pk) for pk in Token.objects.filter(user=user).values_list("pk", flat=True)]
        sessions.end_others(by=person, keep=None)
        SignInLink.objects.filter(user=user).delete()
        KeyedRequest.objects.filter(user=user).delete()
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
    stay = stays.what_stays(user, departure.kind, keeps_public=departure.keeps_public)
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
        if work.pk in kept:
            media.erase_picture(work)  # that was never on view
        else:
            media.erase(work)
    with _batch(departure):
        Fingerprint.objects.filter(output__generation__in=[work for work in batch if work.pk not in kept]).delete()
        written = Generation.objects.filter(pk__in=[work.pk for work in batch]).exclude(prompt=ERASED)
        number = written.update(prompt=ERASED, error_message="", notes=[], once=None, asked=None)
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


def finish(departure: Departure) -> bool:
    """The last letter has gone, or will not go: address and name are erased, and with that it is done."""
    user = departure.user
    if _last_letter_waits(departure):
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


def _last_letter_waits(departure: Departure) -> bool:
    """Until it has gone out, or will not go. With a link in it, it is tried again without end: there is no other."""
    if departure.farewell is None:
        return False
    unsent = Notice.objects.filter(pk=departure.farewell, mailed_at__isnull=True)
    if departure.digest is not None:
        unsent.filter(attempts__gte=notices.ATTEMPTS).update(attempts=notices.ATTEMPTS - 1)
    return unsent.filter(attempts__lt=notices.ATTEMPTS).exists()


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
