"""What artists did for the program: reported, accepted or declined with a reason, disputed, owed, paid."""

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from gateway import actors, audit, contributions, members, refusals, terms
from gateway.actors import Actor
from gateway.models import Contribution, Notice, Rate, Token
from gateway.terms import Price
from tests import makers

pytestmark = pytest.mark.django_db

WORDS = {"title": "It stops at step 3", "body": "I asked for a ring and it stopped."}


@pytest.fixture(autouse=True)
def founded(request: pytest.FixtureRequest) -> None:
    """The program has its first rate card, and everybody here has accepted it."""
    for name in ("transactional_db", "artist", "stranger"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    request.getfixturevalue("db")
    makers.policy()


def reported(by: Actor, kind: str = "bug_report", **more: Any) -> Contribution:
    return contributions.report(by=by, kind=kind, **{**WORDS, **more})


def declined(by: Actor, admin: Actor) -> Contribution:
    made = reported(by)
    contributions.decline(made, by=admin, reason="We could not repeat it.")
    return made


def disputed(by: Actor, admin: Actor) -> Contribution:
    made = declined(by, admin)
    contributions.dispute(made, by=by, why="Look at the clip again.")
    return made


def accepted(by: Actor, admin: Actor, **more: Any) -> Contribution:
    made = reported(by, **more)
    contributions.accept(made, by=admin)
    return made


# ---------------------------------------------------------------- reporting


@pytest.mark.parametrize(
    ("kind", "minutes", "cents"),
    [
        ("bug_report", None, 4000),
        ("feedback", None, 6000),
        ("showcase", None, 20000),
        ("test_hour", 60, 4800),
        ("test_hour", 1, 80),
        ("test_hour", 95, 7600),
    ],
)
def test_what_is_reported_is_priced_by_the_rate_card(artist: Actor, kind: str, minutes: int | None, cents: int):
    made = reported(artist, kind, minutes=minutes)
    assert (made.state, made.cents, made.currency, made.rate.kind) == ("reported", cents, "EUR", kind)
    (entry,) = audit.of(made)
    facts = json.loads(bytes(entry.body))["facts"]
    assert facts == {"kind": kind, "minutes": minutes, "cents": cents, "currency": "EUR", "terms": 1}


@given(cents=st.integers(0, 2**31 - 1), minutes=st.integers(1, 1440))
def test_python_and_the_database_round_alike(cents: int, minutes: int):
    with connection.cursor() as cursor:
        cursor.execute("select round(%s::int * %s::int8 / 60.0)", [cents, minutes])
        (in_database,) = cursor.fetchone()
    assert contributions.price(Rate(cents=cents), minutes) == in_database


def test_the_rates_that_one_accepted_hold_until_one_accepts_others(artist: Actor, admin: Actor):
    earlier = reported(artist)
    lower = terms.publish(by=admin, after=1, body="Less.", rates=[Price("bug_report", "A fault", 1000)])
    assert reported(artist).cents == 4000, "under terms that hold for them no longer only for new works"
    terms.accept(lower, artist.user, by=artist)
    assert reported(artist).cents == 1000
    with pytest.raises(refusals.NotOnTheRateCard, match=r"\(version 2\) has no rate for a feedback"):
        reported(artist, "feedback")
    earlier.refresh_from_db()
    assert earlier.cents == 4000


def test_who_may_report(artist: Actor, reviewer: Actor, admin: Actor):
    members.suspend(artist.membership, by=admin, reason="x")
    assert reported(actors.person(artist.user)).state == "reported", "what was done before is owed"
    with pytest.raises(refusals.NotAMember):
        reported(reviewer)
    with pytest.raises(refusals.SignInFirst):
        reported(actors.NOBODY)
    with pytest.raises(refusals.MissingScope):
        reported(Actor("token", user=artist.user, token=Token(user=artist.user, scopes=["generate"])))
    newcomer = makers.user()
    makers.Membership.objects.create(user=newcomer, cohort=artist.membership.cohort, credits=1)
    with pytest.raises(refusals.TermsNotAccepted):
        reported(actors.person(newcomer))


@pytest.mark.parametrize(
    ("kind", "minutes"), [("test_hour", None), ("bug_report", 5), ("test_hour", 0), ("test_hour", 1441)]
)
def test_test_time_is_in_minutes_and_nothing_else_is(artist: Actor, kind: str, minutes: int | None):
    with pytest.raises(refusals.MinutesMissing):
        reported(artist, kind, minutes=minutes)


@pytest.mark.parametrize("empty", ["title", "body"])
def test_an_empty_report_is_none(artist: Actor, empty: str):
    with pytest.raises(refusals.WordsMissing):
        reported(artist, **{empty: " \n "})
    assert not Contribution.objects.exists()


# ---------------------------------------------------------------- deciding


def test_accepted_is_owed_and_paid_is_paid_and_the_artist_hears_of_each(artist: Actor, admin: Actor):
    made = accepted(artist, admin, kind="test_hour", minutes=90)
    assert contributions.figures(contributions.of(artist.user))[0].shown == {
        "undecided": "0.00 €", "owed": "72.00 €", "paid": "0.00 €",
    }  # fmt: skip
    assert contributions.minutes(contributions.of(artist.user)) == contributions.Minutes(unpaid=90, undecided=0)
    contributions.pay([made.pk], by=admin, reference=" SEPA  17 ")
    made.refresh_from_db()
    assert (made.state, made.reference, made.paid_by) == ("paid", "SEPA 17", admin.user)
    assert contributions.minutes(contributions.of(artist.user)) == contributions.Minutes(0, 0)
    told = Notice.objects.filter(user=artist.user, path="/contributions").order_by("created_at")
    assert [notice.subject for notice in told] == [f"“{made.title}” is accepted", f"“{made.title}” is paid"]
    assert [entry.action for entry in audit.of(made)] == [
        "contribution.reported", "contribution.accepted", "contribution.paid",
    ]  # fmt: skip


def test_a_decline_owes_a_reason(artist: Actor, admin: Actor):
    made = reported(artist)
    with pytest.raises(refusals.ReasonsMissing, match="owes the artist a reason"):
        contributions.decline(made, by=admin, reason="  ")
    contributions.decline(made, by=admin, reason="We could not repeat it.")
    assert "We could not repeat it." in Notice.objects.get(user=artist.user, path="/contributions").body


def test_a_dispute_is_decided_by_somebody_else(artist: Actor, stranger: Actor, admin: Actor):
    made = declined(artist, admin)
    with pytest.raises(refusals.NotFound):
        contributions.dispute(made, by=stranger, why="x")
    with pytest.raises(refusals.WordsMissing):
        contributions.dispute(made, by=artist, why=" ")
    contributions.dispute(made, by=artist, why="Look again.")
    for hear in (contributions.accept, contributions.uphold):
        with pytest.raises(refusals.NotYoursToHear):
            hear(made, by=admin, answer="No.")
        with pytest.raises(refusals.ReasonsMissing, match="an answer"):
            hear(made, by=makers.admin(), answer=" ")
    other = makers.admin()
    contributions.uphold(made, by=other, answer="It stays so.")
    assert (made.state, made.decided_by, made.heard_by) == ("upheld", admin.user, other.user)
    with pytest.raises(refusals.WrongState):
        contributions.dispute(made, by=artist, why="And again.")
    won = disputed(artist, admin)
    contributions.accept(won, by=other, answer="You are right.")
    assert won.state == "accepted"
    subjects = set(Notice.objects.filter(user=artist.user).values_list("subject", flat=True))
    assert {f"“{won.title}” is accepted after all", f"“{won.title}” stays declined"} <= subjects


def test_only_admins_decide_and_never_about_their_own(artist: Actor, reviewer: Actor, admin: Actor):
    both = makers.artist("Both")
    both.user.is_staff = True
    both.user.save()
    both = actors.person(both.user)
    own, other = reported(both), reported(artist)
    contributions.accept(other, by=both)
    token = Actor("token", user=admin.user, token=Token(user=admin.user, scopes=["submit"]))
    for act in (
        partial(contributions.accept, own),
        partial(contributions.decline, own, reason="x"),
        partial(contributions.uphold, own, answer="x"),
        partial(contributions.pay, [own.pk], reference="x"),
    ):
        for by in (artist, reviewer, token, actors.NOBODY):
            with pytest.raises(refusals.AdminsOnly):
                act(by=by)
        with pytest.raises(refusals.OwnContribution):
            act(by=both)


def test_a_pay_out_is_whole_or_none(artist: Actor, admin: Actor):
    one, two, open_one = accepted(artist, admin), accepted(artist, admin), reported(artist)
    for asked in ([one.pk, open_one.pk], [], [artist.user.pk], [one.pk, artist.user.pk]):
        with pytest.raises(refusals.NotOwed):
            contributions.pay(asked, by=admin, reference="x")
    with pytest.raises(refusals.WordsMissing):
        contributions.pay([one.pk], by=admin, reference=" ")
    assert contributions.owed().count() == 2
    assert len(contributions.pay([one.pk, two.pk, one.pk], by=admin, reference="x")) == 2
    with pytest.raises(refusals.NotOwed):
        contributions.pay([one.pk], by=admin, reference="again")


# ---------------------------------------------------------------- the database's word


@pytest.mark.parametrize(
    "change",
    [
        "cents = 1",
        "minutes = 1",
        "body = 'x'",
        "title = 'x'",
        "kind = 'feedback'",
        "currency = 'USD'",
        "user_id = user_id",
        "created_at = now()",
    ],
)
def test_what_was_reported_is_never_changed(artist: Actor, change: str):
    reported(artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_contribution set {change}")


@pytest.mark.parametrize(
    "change",
    ["reason = 'another'", "dispute = ''", "answer = 'x'", "decided_by_id = heard_by_id", "heard_by_id = null"],
)
def test_what_was_said_is_never_rewritten(artist: Actor, admin: Actor, change: str):
    contributions.uphold(disputed(artist, admin), by=makers.admin(), answer="It stays so.")
    with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_contribution set {change}")


@pytest.mark.parametrize(
    "change", ["reference = 'other'", "paid_at = now() - interval '1 day'", "reference = ''", "paid_by_id = user_id"]
)
def test_a_payment_is_never_rewritten(artist: Actor, admin: Actor, change: str):
    contributions.pay([accepted(artist, admin).pk], by=admin, reference="SEPA 17")
    with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_contribution set {change}")


@pytest.mark.parametrize(
    ("state", "changes", "constraint"),
    [
        ("declined", {"decided_by": "admin", "reason": " "}, "a_declined_contribution_has_a_reason"),
        ("accepted", {}, "a_decision_names_who"),
        ("accepted", {"decided_by": "artist"}, "never_decided_by_oneself"),
    ],
)
def test_the_database_refuses_a_decision_without_its_parts(
    artist: Actor, admin: Actor, state: str, changes: dict[str, Any], constraint: str
):
    made = reported(artist)
    people = {"admin": admin.user, "artist": artist.user}
    with pytest.raises(IntegrityError, match=constraint), atomic():
        Contribution.objects.filter(pk=made.pk).update(
            state=state, **{name: people.get(value, value) for name, value in changes.items()}
        )


def test_the_database_refuses_a_dispute_heard_by_who_declined(artist: Actor, admin: Actor):
    made = disputed(artist, admin)
    with pytest.raises(IntegrityError, match="heard_by_somebody_else"), atomic():
        Contribution.objects.filter(pk=made.pk).update(state="accepted", heard_by=admin.user, answer="x")
    with pytest.raises(IntegrityError, match="a_dispute_that_ended_was_heard"), atomic():
        Contribution.objects.filter(pk=made.pk).update(state="accepted")


def test_the_database_refuses_a_payment_without_a_reference(artist: Actor, admin: Actor):
    made = accepted(artist, admin)
    with pytest.raises(IntegrityError, match="a_payment_says_when"), atomic():
        Contribution.objects.filter(pk=made.pk).update(state="paid", paid_at=Now(), paid_by=admin.user)


def test_the_database_knows_the_price(artist: Actor, stranger: Actor, admin: Actor):
    rate = Rate.objects.get(kind="test_hour")
    right = {
        "user": artist.user,
        "rate": rate,
        "kind": "test_hour",
        "minutes": 30,
        "cents": 2400,
        "currency": "EUR",
        **WORDS,
    }
    Contribution.objects.create(**right)
    terms.publish(by=admin, after=1, body="x", rates=[Price("test_hour", "x", 9600)])
    unaccepted = Rate.objects.get(kind="test_hour", cents=9600)
    for wrong in (
        {"cents": 2401},
        {"minutes": 31},
        {"currency": "USD"},
        {"kind": "feedback", "minutes": None},
        {"rate": unaccepted, "cents": 4800},
    ):
        with pytest.raises(IntegrityError, match="priced by the rate card"), atomic():
            Contribution.objects.create(**{**right, **wrong})


# ---------------------------------------------------------------- any order of things


class Money(RuleBasedStateMachine):
    """Report, decide, dispute and pay in any order, right or wrong: the sums are always what was promised."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.artist, self.admins = makers.artist(), [makers.admin(), makers.admin()]
        self.model: dict[Any, dict[str, Any]] = {}

    @rule(target=made, kind=st.sampled_from(Rate.KINDS), minutes=st.integers(1, 1440))
    def report(self, kind: str, minutes: int) -> Any:
        row = reported(self.artist, kind, minutes=minutes if kind == "test_hour" else None)
        self.model[row.pk] = {"state": "reported", "cents": row.cents, "minutes": row.minutes or 0, "by": None}
        return row.pk

    @rule(pk=made, who=st.integers(0, 1), verdict=st.sampled_from(["accept", "decline", "uphold"]))
    def decide(self, pk: Any, who: int, verdict: str) -> None:
        known = self.model[pk]
        moves = {
            ("reported", "accept"): "accepted",
            ("reported", "decline"): "declined",
            ("disputed", "accept"): "accepted",
            ("disputed", "uphold"): "upheld",
        }
        to = moves.get((known["state"], verdict))
        told = {"decline": {"reason": "x"}}.get(verdict, {"answer": "x"})
        try:
            getattr(contributions, verdict)(Contribution.objects.get(pk=pk), by=self.admins[who], **told)
        except refusals.NotYoursToHear:
            assert known["by"] == who
        except refusals.WrongState:
            assert to is None
        else:
            assert to is not None
            assert known["state"] != "disputed" or known["by"] != who
            known["by"] = who if known["state"] == "reported" else known["by"]
            known["state"] = to

    @rule(pk=made)
    def dispute(self, pk: Any) -> None:
        try:
            contributions.dispute(Contribution.objects.get(pk=pk), by=self.artist, why="x")
        except refusals.WrongState:
            assert self.model[pk]["state"] != "declined"
        else:
            assert self.model[pk]["state"] == "declined"
            self.model[pk]["state"] = "disputed"

    @rule(pks=st.lists(made, max_size=3), who=st.integers(0, 1))
    def pay(self, pks: list[Any], who: int) -> None:
        try:
            contributions.pay(pks, by=self.admins[who], reference="x")
        except refusals.NotOwed:
            assert not pks or any(self.model[pk]["state"] != "accepted" for pk in pks)
        else:
            assert all(self.model[pk]["state"] == "accepted" for pk in pks)
            for pk in pks:
                self.model[pk]["state"] = "paid"

    @invariant()
    def the_sums_are_what_was_promised(self) -> None:
        rows = contributions.of(self.artist.user)

        def total(what: str, *states: str) -> int:
            return sum(known[what] for known in self.model.values() if known["state"] in states)

        expected = [(total("cents", "reported", "disputed"), total("cents", "accepted"), total("cents", "paid"))]
        found = [(each.undecided, each.owed, each.paid) for each in contributions.figures(rows)]
        assert found == (expected if self.model else [])
        minutes = contributions.minutes(rows)
        assert minutes.unpaid == total("minutes", "accepted")
        assert minutes.undecided == total("minutes", "reported", "disputed")


def test_the_sums_are_exact_in_any_order_of_things():
    run_state_machine_as_test(Money, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))


# ---------------------------------------------------------------- all at once


def test_of_admins_who_decide_at_once_one_decides(at_once: Callable[..., list[Any]]):
    artist, admins = makers.artist(), [makers.admin() for _ in range(6)]
    made = reported(artist)
    row = partial(Contribution.objects.get, pk=made.pk)
    copies = [row() for _ in admins]
    calls = [
        partial(contributions.accept, copy, by=admin)
        if i % 2
        else partial(contributions.decline, copy, by=admin, reason="x")
        for i, (copy, admin) in enumerate(zip(copies, admins, strict=True))
    ]
    answers = at_once(*calls)
    assert answers.count(None) == 1
    assert sum(isinstance(answer, refusals.WrongState) for answer in answers) == 5
    assert Notice.objects.filter(user=artist.user).count() == 1


def test_nothing_is_paid_twice_when_several_pay_at_once(at_once: Callable[..., list[Any]]):
    """Each pay-out shares something with the others, in another order."""
    artist, admin = makers.artist(), makers.admin()
    rows = [accepted(artist, admin).pk for _ in range(3)]
    asked = [rows, rows[::-1], rows[:2], rows[1:]]
    calls = [partial(contributions.pay, ids, by=makers.admin(), reference=f"P{i}") for i, ids in enumerate(asked)]
    answers = at_once(*calls)
    assert all(isinstance(answer, (list, refusals.NotOwed)) for answer in answers)
    paid = [row.pk for answer in answers if isinstance(answer, list) for row in answer]
    assert len(paid) == len(set(paid)) >= 2
    assert Contribution.objects.filter(state="paid").count() == len(paid)
    references = set(Contribution.objects.filter(state="paid").values_list("reference", flat=True))
    assert len(references) == sum(isinstance(answer, list) for answer in answers)


# ---------------------------------------------------------------- the pages and the interface


def test_an_artist_reports_reads_the_reason_and_disputes(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    browser, office = browser_of(artist), browser_of(admin)
    assert "Nothing yet" in browser.get("/contributions").content.decode()
    assert browser.post("/contributions", {"kind": "test_hour", **WORDS}).status_code == 400
    assert browser.post("/contributions", {"kind": "nothing", **WORDS}).status_code == 422
    assert browser.post("/contributions", {"kind": "test_hour", "minutes": 30, **WORDS}).status_code == 302
    made = Contribution.objects.get()
    page = browser.get("/contributions").content.decode()
    assert "24.00 €" in page
    assert "30 min reported and not decided" in " ".join(page.split())
    at = f"/program/contributions/{made.pk.hex}"
    assert office.post(f"{at}/decline", {"words": ""}).status_code == 400
    assert office.post(f"{at}/decline", {"words": "We asked for none."}).status_code == 302
    assert "We asked for none." in browser.get("/contributions").content.decode()
    assert browser.post(f"/contributions/{made.pk.hex}/dispute", {"why": ""}).status_code == 400
    assert browser.post(f"/contributions/{made.pk.hex}/dispute", {"why": "You did."}).status_code == 302
    assert "another admin decides" in office.get("/program/contributions").content.decode()
    assert office.post(f"{at}/accept", {"words": "x"}).status_code == 403
    other = browser_of(makers.admin())
    assert other.post(f"{at}/accept", {"words": "We did."}).status_code == 302
    assert office.post("/program/contributions/pay", {"pay": ["rubbish"], "reference": "x"}).status_code == 409
    assert office.post("/program/contributions/pay", {"pay": [made.pk.hex], "reference": ""}).status_code == 400
    assert office.post("/program/contributions/pay", {"pay": [made.pk.hex], "reference": "SEPA 17"}).status_code == 302
    assert "SEPA 17" in browser.get("/contributions/statement").content.decode()


def test_a_statement_is_one_s_own_and_runs_no_formula(
    artist: Actor, stranger: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    reported(artist, title="=cmd|' /C calc'!A0")
    reported(stranger, title="Somebody else's")
    answer = browser_of(artist).get("/contributions/statement.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "private, no-store"
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["title"], row["amount"], row["rate card"]) == ("'=cmd|' /C calc'!A0", "40.00", "1")
    assert "Somebody else" not in browser_of(artist).get("/contributions/statement").content.decode()
    assert len(list(csv.reader(io.StringIO(browser_of(admin).get("/program/contributions.csv").content.decode())))) == 3


def test_a_client_reports_and_disputes(
    artist: Actor, stranger: Actor, admin: Actor, client_of: Callable[..., APIClient]
):
    client = client_of(artist)
    answer = client.post("/v1/contributions", {"kind": "bug_report", **WORDS}, format="json")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["status"], made["cents"], made["rate_card"], made["actions"]) == ("reported", 4000, 1, [])
    assert client.post("/v1/contributions", {"kind": "gossip", **WORDS}, format="json").status_code == 400
    contributions.decline(Contribution.objects.get(), by=admin, reason="No.")
    at = f"/v1/contributions/{made['id']}"
    assert client.get(at).json()["actions"] == ["dispute"]
    assert client_of(stranger).get(at).status_code == 404
    assert client_of(stranger).post(f"{at}/dispute", {"why": "x"}, format="json").status_code == 404
    assert client.post(f"{at}/dispute", {"why": "Yes."}, format="json").json()["status"] == "disputed"
    listed = client.get("/v1/contributions").json()
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    assert listed["figures"] == {
        "cents": [{"currency": "EUR", "undecided": 4000, "owed": 0, "paid": 0}],
        "minutes": {"unpaid": 0, "undecided": 0},
    }
