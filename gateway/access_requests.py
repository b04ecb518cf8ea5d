"""Somebody who was not invited asks to come in, while an admin has opened that door.

What comes of asking is told to the address that was given and to nobody else: the form does not say who is here.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import audit, keys, limits, members, notices, refusals, states
from gateway.actors import Actor
from gateway.models import AccessRequest, Cohort, Departure, Invitation, Membership, Notice, Program, User

AN_HOUR = 5  # requests from one place
WAITING = 500  # requests in all that wait for an answer


def program() -> Program:
    """What the program is set to; the defaults while no admin has set anything."""
    return Program.objects.first() or Program()


def set_door(*, by: Actor, takes_requests: bool, hours: int) -> None:
    """Open or close the public form, and say in how many hours an answer is due. Raises AdminsOnly."""
    by.must_be_admin()
    with atomic():
        found = _locked()
        Program.objects.filter(pk=found.pk).update(takes_requests=takes_requests, request_hours=hours)
        audit.record("program.set", by=by, subject=found, facts={"takes_requests": takes_requests, "hours": hours})


def ask(*, by: Actor, sender: str, email: str, name: str, links: list[str], words: str = "") -> None:
    """Ask for access: the address is sent a link to the request's own page. `sender` is from where it came.

    Who is here, is invited or has asked already is sent a word of that instead, once a day at most.
    Raises RequestsClosed, AskedTooOften, RequestsFull; then nothing was kept.
    """
    if not program().takes_requests:
        raise refusals.RequestsClosed
    if limits.too_often("ask", sender, an_hour=AN_HOUR):  # WAITING bounds what is kept, also while nobody is counted
        raise refusals.AskedTooOften
    email = email.lower()
    with atomic():
        # The program's row is held: no two requests of one address at once, and none after the door has closed.
        door = _locked()
        if not door.takes_requests:
            raise refusals.RequestsClosed
        if AccessRequest.objects.filter(state="requested").count() >= WAITING:
            raise refusals.RequestsFull
        if known := _known(email):
            _told(email, known)
            return
        secret = keys.make("request")
        asked = AccessRequest.objects.create(
            email=email,
            name=" ".join(name.split()),
            links=links,
            words=words.strip(),
            digest=keys.digest(secret),
            due_at=timezone.now() + timedelta(hours=door.request_hours),
        )
        audit.record("access_request.requested", by=by, subject=asked, detail={"email": email})
        notices.write_to(
            email,
            f"You asked for access to {settings.PROGRAM_NAME}",
            f"Your request is with us. An answer, with its reason, is due by {asked.due_at:%-d %B %Y, %H:%M} UTC.\n\n"
            "The link below shows where it stands, and lets you take it back. It is for you alone.",
            path=f"/apply/{secret}",
        )


def find(secret: str) -> AccessRequest:
    """The request whose page this link opens. Raises NotFound."""
    found = None
    if keys.well_formed(secret, "request"):
        found = AccessRequest.objects.filter(digest=keys.digest(secret)).first()
    if found is None:
        raise refusals.NotFound
    return found


def withdraw(asked: AccessRequest, *, by: Actor) -> None:
    """Take a request back before it is answered: who holds its link may. Raises WrongState."""
    states.move(asked, "withdrawn", by=by, answered_at=Now())


def accept(
    asked: AccessRequest, *, by: Actor, cohort: Cohort, credits: int | None = None, note: str = ""
) -> Invitation | Membership:
    """Say yes: an invitation into `cohort` goes out; who is here already, as a reviewer or having left, gets the place.

    Raises AdminsOnly, WrongState, NoSeatLeft, AlreadyAMember, AlreadyInvited.
    """
    admin = by.must_be_admin()
    with atomic():
        locked = AccessRequest.objects.select_for_update().get(pk=asked.pk)
        if locked.state != "requested":
            raise refusals.WrongState(locked, "accepted")
        answered: dict[str, Any] = {"answered_at": Now(), "answered_by": admin}
        user = User.objects.filter(email__iexact=asked.email).first()
        if user is not None:
            membership = members.place(user, cohort, by=by, credits=credits)
            states.move(asked, "accepted", by=by, membership=membership, **answered)
            return membership
        invitation, _ = members.invite(asked.email, by=by, cohort=cohort, credits=credits, note=note)
        states.move(asked, "accepted", by=by, invitation=invitation, **answered)
    return invitation


def decline(asked: AccessRequest, *, by: Actor, reason: str) -> None:
    """Say no, and why; the letter says that one may ask again. Raises AdminsOnly, ReasonNeeded, WrongState."""
    admin = by.must_be_admin()
    reason = reason.strip()
    if not reason:
        raise refusals.ReasonNeeded(param="reason")
    with atomic():
        states.move(asked, "declined", by=by, reason=reason, answered_at=Now(), answered_by=admin)
        notices.write_to(
            asked.email,
            f"Your request for access to {settings.PROGRAM_NAME}",
            f"The answer is no, for this reason:\n\n{reason}\n\nYou may ask again whenever you like:",
            path="/apply",
        )


def remind() -> int:
    """Tell every admin, once, of requests that are due within a day; return of how many."""
    with atomic():
        due = AccessRequest.objects.filter(
            state="requested", reminded_at__isnull=True, due_at__lt=Now() + timedelta(days=1)
        )
        rows = list(due.select_for_update(skip_locked=True).order_by("due_at"))
        if not rows:
            return 0
        AccessRequest.objects.filter(pk__in=[row.pk for row in rows]).update(reminded_at=Now())
        many = "1 request for access waits" if len(rows) == 1 else f"{len(rows)} requests for access wait"
        first = f"An answer, with its reason, is due by {rows[0].due_at:%-d %B, %H:%M} UTC."
        notices.tell_admins(f"{many} for an answer", first, path="/program/requests")
    return len(rows)


def forget_old() -> int:
    """Erase requests that led to nothing, and letters to those who are nobody, after APPLICANT_DAYS; return how many
    requests that were."""
    if not settings.APPLICANT_DAYS:
        return 0
    long_ago = Now() - timedelta(days=settings.APPLICANT_DAYS)
    Notice.objects.filter(user__isnull=True, created_at__lt=long_ago).exclude(
        pk__in=Departure.objects.filter(farewell__isnull=False).values("farewell")
    ).delete()
    over = AccessRequest.objects.filter(state__in=["declined", "withdrawn"], answered_at__lt=long_ago)
    return over.delete()[0]


def _locked() -> Program:
    Program.objects.get_or_create(only=True)
    return Program.objects.select_for_update().get(only=True)


def _known(email: str) -> tuple[str, str, str] | None:
    """Subject, body and path of what somebody is sent who need not ask."""
    name = settings.PROGRAM_NAME
    if Membership.objects.filter(user__email__iexact=email).exclude(state="left").exists():
        return f"You are in {name} already", "Somebody asked for access with your address. You have it:", "/home"
    if invitation := Invitation.objects.open().filter(email__iexact=email).first():
        body = f"You need not ask: an invitation is open for you until {invitation.expires_at:%-d %B %Y}."
        return f"You are invited to {name} already", f"{body} Its link is in the letter that you were sent.", ""
    if asked := AccessRequest.objects.filter(email__iexact=email, state="requested").first():
        body = f"Your request of {asked.created_at:%-d %B} is open; an answer is due by {asked.due_at:%-d %B %Y}."
        return f"You have asked {name} for access already", f"{body} Its link is in the letter of that day.", ""
    return None


def _told(email: str, known: tuple[str, str, str]) -> None:
    subject, body, path = known
    today = Notice.objects.filter(email=email, subject=subject, created_at__gt=Now() - timedelta(days=1))
    if not today.exists():
        notices.write_to(email, subject, body, path=path)
