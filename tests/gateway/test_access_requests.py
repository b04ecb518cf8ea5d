"""Somebody who was not invited asks to come in, while an admin has opened that door."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway import access_requests, actors, audit, keys, members, notices, refusals, tasks
from gateway.actors import NOBODY, Actor
from gateway.models import AccessRequest, Invitation, Membership, Notice
from gateway.models.base import new_id
from review import founding
from tests import makers

pytestmark = pytest.mark.django_db

NOOR = "noor@example.org"
FORM = {"email": NOOR, "name": "Noor Haddad", "links": "https://example.org/noor", "words": "Slow water."}


def place() -> str:
    """An address from where nobody has asked yet, in this run or any before it."""
    text = new_id().hex
    return f"2001:db8:{text[8:12]}:{text[-4:]}::1"


def ask(email: str = NOOR, **more: Any) -> None:
    said: dict[str, Any] = {"sender": place(), "name": "Noor", "links": ["https://example.org/noor"], **more}
    access_requests.ask(by=NOBODY, email=email, **said)


def secret_of(notice: Notice) -> str:
    return notice.path.rpartition("/")[2]


# ---------------------------------------------------------------- the door


def test_the_door_is_closed_until_an_admin_opens_it(admin: Actor, guest: Client, browser_of: Callable[..., Client]):
    page = guest.get("/apply")
    assert page.status_code == 200
    assert "People come in by invitation." in page.content.decode()
    answer = guest.post("/apply", FORM)
    assert (answer.status_code, answer.refusal) == (403, "requests_closed")
    with pytest.raises(refusals.RequestsClosed):
        ask()
    office = browser_of(admin)
    assert "The door is closed." in office.get("/program/requests").content.decode()
    assert office.post("/program/requests/door", {"takes_requests": "on", "hours": 0}).status_code == 422
    assert office.post("/program/requests/door", {"takes_requests": "on", "hours": 48}).status_code == 302
    assert "within 2 days" in guest.get("/apply").content.decode()
    assert office.post("/program/requests/door", {"hours": 48}).status_code == 302
    assert "People come in by invitation." in guest.get("/apply").content.decode()
    entries = audit.of(access_requests.program())
    assert [entry.action for entry in entries] == ["program.set"] * 2


@pytest.mark.parametrize("who", ["artist", "reviewer", "guest"])
def test_only_an_admin_opens_the_door_and_answers(request: pytest.FixtureRequest, who: str):
    by = NOBODY if who == "guest" else request.getfixturevalue(who)
    asked = makers.asked()
    for act in (
        partial(access_requests.set_door, by=by, takes_requests=True, hours=1),
        partial(access_requests.accept, asked, by=by, cohort=makers.cohort()),
        partial(access_requests.decline, asked, by=by, reason="No."),
    ):
        with pytest.raises(refusals.AdminsOnly):
            act()
    asked.refresh_from_db()
    assert asked.state == "requested"


# ---------------------------------------------------------------- asking


def test_who_asks_is_mailed_a_secret_link_and_a_date(guest: Client, settings: Any):
    makers.door(hours=48)
    answer = guest.post("/apply", {**FORM, "email": "Noor@Example.org"}, REMOTE_ADDR=place())
    assert (answer.status_code, answer["Location"]) == (302, "/apply?sent=1")
    assert "Look into your mail." in guest.get("/apply?sent=1").content.decode()
    asked = AccessRequest.objects.get()
    assert (asked.email, asked.state, asked.links) == (NOOR, "requested", ["https://example.org/noor"])
    assert abs(asked.due_at - asked.created_at - timedelta(hours=48)) < timedelta(seconds=5)
    assert notices.send_waiting() == 1
    (letter,) = mail.outbox
    assert letter.to == [NOOR]
    link = re.search(r"/apply/(bat_request_\w+)", letter.body)
    assert link and bytes(asked.digest) == keys.digest(link[1])
    assert f"due by {asked.due_at:%-d %B %Y}" in letter.body
    assert link[1] not in repr(list(Notice.objects.values())), "after it was mailed, the link is nowhere"
    page = guest.get(f"/apply/{link[1]}")
    assert page["Cache-Control"] == "no-store"
    for told in ("waits for an answer", "Slow water.", "https://example.org/noor", f"{asked.due_at:%-d %B %Y}"):
        assert told in page.content.decode()
    assert [entry.action for entry in audit.of(asked)] == ["access_request.requested"]
    assert NOOR not in repr([bytes(entry.body) for entry in audit.of(asked)])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("name", ""),
        ("words", ""),
        ("words", "x" * 2001),
        ("links", ""),
        ("links", "my page"),
        ("links", "javascript:alert(1)"),
        ("links", "ftp://example.org/x"),
        ("links", "\n".join(f"https://example.org/{n}" for n in range(6))),
        ("links", "https://example.org/" + "x" * 500),
    ],
)
def test_a_form_that_says_too_little_or_too_much_is_shown_again_with_what_was_typed(
    guest: Client, field: str, value: str
):
    makers.door()
    answer = guest.post("/apply", {**FORM, field: value}, REMOTE_ADDR=place())
    assert answer.status_code == 422
    assert "Noor Haddad" in answer.content.decode() or field == "name"
    assert not AccessRequest.objects.exists()
    assert not Notice.objects.exists()


def test_the_form_tells_nobody_who_is_here_and_the_address_is_told_once_a_day(
    artist: Actor, admin: Actor, guest: Client
):
    """The same answer for a member, somebody invited, somebody who asked, and a stranger."""
    makers.door()
    assert artist.user is not None
    members.invite("invited@example.org", by=admin, cohort=makers.cohort())
    ask("asked@example.org")
    Notice.objects.all().delete()
    known = [artist.user.email, "invited@example.org", "ASKED@example.org"]
    for email in [*known, *known, "new@example.org"]:
        answer = guest.post("/apply", {**FORM, "email": email}, REMOTE_ADDR=place())
        assert (answer.status_code, answer["Location"]) == (302, "/apply?sent=1"), email
    assert AccessRequest.objects.count() == 2
    told = sorted(Notice.objects.values_list("email", "subject"))
    assert [email for email, _ in told] == sorted([*(email.lower() for email in known), "new@example.org"])
    Notice.objects.update(created_at=Now() - timedelta(days=2))
    ask("asked@example.org")
    assert Notice.objects.filter(email="asked@example.org").count() == 2
    assert not any(notice.path.startswith("/apply/") for notice in Notice.objects.filter(email="asked@example.org"))


def test_one_address_asks_once_at_a_time_whatever_its_case(at_once: Callable[..., list[Any]]):
    makers.door()
    answers = at_once(*[partial(ask, email) for email in (NOOR, NOOR.upper()) * 4])
    assert set(answers) == {None}
    assert AccessRequest.objects.count() == 1
    with pytest.raises(IntegrityError, match="one_open_request_an_address"), atomic():
        AccessRequest.objects.create(email="NOOR@example.org", digest=b"x", due_at=Now(), links=[])


def test_a_flood_from_one_place_is_stopped_and_others_still_ask(guest: Client):
    makers.door()
    flood = place()
    for number in range(access_requests.AN_HOUR):
        ask(f"a{number}@example.org", sender=flood)
    answer = guest.post("/apply", FORM, REMOTE_ADDR=flood)
    assert (answer.status_code, answer.refusal, answer["Retry-After"]) == (429, "asked_too_often", "3600")
    assert "Noor Haddad" in answer.content.decode(), "what was typed is not lost"
    neighbour = flood.replace("::1", "::bad")
    with pytest.raises(refusals.AskedTooOften):
        ask(sender=neighbour)
    assert AccessRequest.objects.count() == access_requests.AN_HOUR
    ask()
    assert AccessRequest.objects.filter(email=NOOR).exists()


def test_twenty_at_once_from_one_place_are_five(at_once: Callable[..., list[Any]]):
    makers.door()
    flood = place()
    answers = at_once(*[partial(ask, f"a{n}@example.org", sender=flood) for n in range(20)])
    assert answers.count(None) == AccessRequest.objects.count() == access_requests.AN_HOUR
    assert sum(isinstance(answer, refusals.AskedTooOften) for answer in answers) == 20 - access_requests.AN_HOUR


def test_a_flood_from_everywhere_never_fills_the_table(monkeypatch: pytest.MonkeyPatch):
    makers.door()
    monkeypatch.setattr(access_requests, "WAITING", 3)
    for number in range(3):
        ask(f"a{number}@example.org")
    with pytest.raises(refusals.RequestsFull):
        ask()
    access_requests.withdraw(AccessRequest.objects.earliest("created_at"), by=NOBODY)
    ask()
    assert AccessRequest.objects.filter(state="requested").count() == 3


def test_without_valkey_people_still_ask(settings: Any, caplog: pytest.LogCaptureFixture):
    makers.door()
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/valkey.sock"}}
    ask()
    assert AccessRequest.objects.get().email == NOOR
    assert "pass uncounted" in caplog.text


# ---------------------------------------------------------------- answering


def test_a_yes_is_an_invitation_that_brings_one_inside(admin: Actor, guest: Client, browser_of: Callable[..., Client]):
    founding.lay()
    asked, cohort = makers.asked(NOOR), makers.cohort(credits=9, seats=1)
    Notice.objects.all().delete()
    path = f"/program/requests/{asked.pk.hex}"
    page = browser_of(admin).get(path).content.decode()
    assert "Slow water." in page and "1 seat left" in page
    answer = browser_of(admin).post(f"{path}/accept", {"cohort": cohort.pk, "note": "Gladly."})
    assert (answer.status_code, answer["Location"]) == (302, "/program/requests")
    asked.refresh_from_db()
    assert (asked.state, asked.answered_by) == ("accepted", admin.user)
    assert asked.invitation is not None and asked.invitation.credits == 9
    letter = Notice.objects.get(email=NOOR)
    assert "Gladly." in letter.body
    typed = {"name": "Noor", "password": makers.PASSWORD, "accept": "on", "version": 1}
    assert guest.post(letter.path, typed).status_code == 302
    assert Membership.objects.get(user__email=NOOR).cohort == cohort


def test_a_yes_without_a_seat_is_refused_and_the_request_waits(admin: Actor, browser_of: Callable[..., Client]):
    asked, cohort = makers.asked(), makers.cohort(seats=0)
    answer = browser_of(admin).post(f"/program/requests/{asked.pk.hex}/accept", {"cohort": cohort.pk})
    assert answer.status_code == 409
    assert "All 0 seats of" in answer.content.decode()
    asked.refresh_from_db()
    assert asked.state == "requested"
    assert not Invitation.objects.exists()


def test_who_had_left_asks_and_gets_a_place_by_signing_in_as_before(artist: Actor, admin: Actor, guest: Client):
    assert artist.user is not None
    members.leave(by=artist)
    asked = makers.asked(artist.user.email)
    cohort = makers.cohort()
    access_requests.accept(asked, by=admin, cohort=cohort)
    assert not Invitation.objects.exists()
    again = actors.person(artist.user).membership
    assert again is not None and (again.cohort, asked.membership) == (cohort, again)


def test_a_no_has_a_reason_that_is_mailed_and_one_may_ask_again_at_once(
    admin: Actor, guest: Client, browser_of: Callable[..., Client]
):
    asked = makers.asked(NOOR)
    link = secret_of(Notice.objects.get())
    path = f"/program/requests/{asked.pk.hex}/decline"
    assert browser_of(admin).post(path, {"reason": "  "}).status_code == 422
    with pytest.raises(refusals.ReasonNeeded):
        access_requests.decline(asked, by=admin, reason=" ")
    assert browser_of(admin).post(path, {"reason": "All seats are taken until May."}).status_code == 302
    letter = Notice.objects.latest("created_at")
    assert "All seats are taken until May." in letter.body and "ask again" in letter.body
    assert letter.path == "/apply"
    page = guest.get(f"/apply/{link}").content.decode()
    assert "All seats are taken until May." in page and "Ask again" in page
    assert "Ada" not in page, "who answered is the program's business"
    ask()
    assert AccessRequest.objects.filter(email=NOOR, state="requested").count() == 1


def test_the_database_refuses_a_no_without_a_reason_and_an_answer_without_a_name(admin: Actor):
    makers.asked()
    assert admin.user is not None
    for change in (
        f"state = 'declined', answered_at = now(), answered_by_id = '{admin.user.pk}'",
        "state = 'declined', answered_at = now(), reason = 'No.'",
        f"state = 'declined', answered_by_id = '{admin.user.pk}', reason = 'No.'",
        f"state = 'accepted', answered_at = now(), answered_by_id = '{admin.user.pk}'",
        "answered_at = now()",
    ):
        with pytest.raises(DatabaseError), atomic(), connection.cursor() as cursor:
            cursor.execute(f"update gateway_accessrequest set {change}")


def test_a_yes_a_no_and_a_second_thought_at_once_are_one_answer(at_once: Callable[..., list[Any]]):
    admin, cohort = makers.admin(), makers.cohort(seats=1)
    for _ in range(3):
        asked = makers.asked()
        rows = [AccessRequest.objects.get(pk=asked.pk) for _ in range(4)]
        answers = at_once(
            partial(access_requests.accept, rows[0], by=admin, cohort=cohort),
            partial(access_requests.accept, rows[1], by=admin, cohort=cohort),
            partial(access_requests.decline, rows[2], by=admin, reason="No."),
            partial(access_requests.withdraw, rows[3], by=NOBODY),
        )
        wrong = [answer for answer in answers if isinstance(answer, refusals.WrongState)]
        asked.refresh_from_db()
        assert len(wrong) == 3, answers
        assert Invitation.objects.filter(email=asked.email).count() == (asked.state == "accepted")
        Invitation.objects.filter(state="sent").update(expires_at=Now())


def test_who_asked_takes_it_back_by_their_link_and_nobody_else_can(guest: Client, admin: Actor):
    makers.asked(NOOR)
    link = secret_of(Notice.objects.get())
    for other in ("x", keys.make("request"), keys.make("invitation")):
        assert guest.get(f"/apply/{other}").status_code == 404
        assert guest.post(f"/apply/{other}/withdraw").status_code == 404
    assert guest.get(f"/apply/{link}/withdraw").status_code == 405
    assert guest.post(f"/apply/{link}/withdraw").status_code == 302
    assert "You took it back." in guest.get(f"/apply/{link}").content.decode()
    assert guest.post(f"/apply/{link}/withdraw").status_code == 409
    with pytest.raises(refusals.WrongState):
        access_requests.decline(AccessRequest.objects.get(), by=admin, reason="No.")


def test_what_is_due_first_stands_first_and_what_is_overdue_says_so(
    admin: Actor, guest: Client, browser_of: Callable[..., Client]
):
    late = makers.asked(name="Late Larsen")
    link = secret_of(Notice.objects.get())
    makers.asked(name="Early Eriksen")
    AccessRequest.objects.filter(pk=late.pk).update(due_at=Now() - timedelta(hours=1))
    page = browser_of(admin).get("/program/requests").content.decode()
    assert page.index("Late Larsen") < page.index("Early Eriksen")
    assert page.count("Overdue since") == 1
    assert "the program is late" in guest.get(f"/apply/{link}").content.decode()
    access_requests.decline(late, by=admin, reason="Too late.")
    assert "Late Larsen" not in browser_of(admin).get("/program/requests").content.decode()
    answered = browser_of(admin).get("/program/requests?show=answered").content.decode()
    assert "Declined by Ada Lindqvist" in answered


def test_admins_are_reminded_once_of_what_is_due_within_a_day(admin: Actor, artist: Actor):
    soon, late, _ = makers.asked(), makers.asked(), makers.asked()
    Notice.objects.all().delete()
    assert access_requests.remind() == 0, "each has three days"
    AccessRequest.objects.filter(pk=soon.pk).update(due_at=Now() + timedelta(hours=23))
    AccessRequest.objects.filter(pk=late.pk).update(due_at=Now() - timedelta(hours=1))
    tasks.tidy()
    assert access_requests.remind() == 0
    (told,) = Notice.objects.all()
    assert (told.user, told.subject) == (admin.user, "2 requests for access wait for an answer")
    late.refresh_from_db()
    assert f"{late.due_at:%-d %B, %H:%M}" in told.body


# ---------------------------------------------------------------- any order of things


class Requests(RuleBasedStateMachine):
    """A few people ask, are answered, think better of it and ask again, in any order."""

    PEOPLE = st.sampled_from(["a@example.org", "B@example.org", "c@example.org"])

    def __init__(self) -> None:
        super().__init__()
        self.admin, self.cohort = makers.admin(), makers.cohort(seats=2)
        self.suffix = f"{next(makers.number)}."
        makers.door()

    def open(self, email: str) -> AccessRequest | None:
        return AccessRequest.objects.filter(email=(self.suffix + email).lower(), state="requested").first()

    @rule(email=PEOPLE)
    def ask(self, email: str) -> None:
        email = self.suffix + email
        needless = Invitation.objects.open().filter(email__iexact=email).exists()
        ask(email)
        assert needless or AccessRequest.objects.filter(email=email.lower(), state="requested").count() == 1

    @rule(email=PEOPLE)
    def accept(self, email: str) -> None:
        if asked := self.open(email):
            try:
                access_requests.accept(asked, by=self.admin, cohort=self.cohort)
                assert asked.state == "accepted"
            except (refusals.NoSeatLeft, refusals.AlreadyInvited):
                asked.refresh_from_db()
                assert asked.state == "requested"

    @rule(email=PEOPLE)
    def decline(self, email: str) -> None:
        if asked := self.open(email):
            access_requests.decline(asked, by=self.admin, reason="Not now.")
            with pytest.raises(refusals.WrongState):
                access_requests.withdraw(asked, by=NOBODY)

    @rule(email=PEOPLE)
    def withdraw(self, email: str) -> None:
        if asked := self.open(email):
            access_requests.withdraw(asked, by=NOBODY)

    @rule(email=PEOPLE)
    def revoke_the_invitation(self, email: str) -> None:
        if sent := Invitation.objects.open().filter(email__iexact=self.suffix + email).first():
            members.revoke(sent, by=self.admin)

    @invariant()
    def nobody_waits_twice_and_no_answer_is_silent(self) -> None:
        waiting = list(AccessRequest.objects.filter(state="requested").values_list("email", flat=True))
        assert len(waiting) == len(set(waiting))
        assert not AccessRequest.objects.filter(state="declined", reason="").exists()
        assert Invitation.objects.open().filter(cohort=self.cohort).count() <= 2


def test_requests_live_their_life_in_any_order_of_things():
    few = hypothesis_settings(max_examples=12, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Requests, settings=few)
