"""Credits: set aside, then charged once or given back whole, whatever happens at the same time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import Sum
from django.db.transaction import atomic
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from gateway import allowances, audit, refusals, tasks, tokens
from gateway.actors import NOBODY, Actor
from gateway.models import Allowance, LedgerEntry, Membership, Notice
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db


def member(credits: int) -> Membership:
    membership = makers.artist(credits=credits).membership
    assert membership is not None
    return membership


def booked(allowance: Allowance) -> dict[str, int]:
    """What the ledger says: the sum of each kind."""
    sums = LedgerEntry.objects.filter(allowance=allowance).values("kind").annotate(sum=Sum("amount"))
    return dict.fromkeys(LedgerEntry.KINDS, 0) | {row["kind"]: row["sum"] for row in sums}


def exact(allowance: Allowance) -> bool:
    """Whether the row says what its ledger adds up to."""
    allowance.refresh_from_db()
    sums = booked(allowance)
    return (
        allowance.granted == sums["grant"]
        and allowance.spent == sums["settle"]
        and allowance.expired == sums["expire"]
        and allowance.held == sums["reserve"] - sums["settle"] - sums["give_back"]
    )


# ---------------------------------------------------------------- periods

moments = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2400, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(moments)
@example(datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
@example(datetime(2027, 1, 1, tzinfo=UTC))
@example(datetime(2028, 2, 29, 12, tzinfo=UTC))
@example(datetime(2026, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-1))))
def test_a_period_is_the_calendar_month_in_utc(now: datetime):
    start, end = allowances.period(now)
    assert start <= now < end
    assert (start.day, start.hour, start.minute, start.second, start.microsecond) == (1, 0, 0, 0, 0)
    assert start.tzinfo is UTC
    assert timedelta(days=28) <= end - start <= timedelta(days=31)
    assert allowances.period(start) == (start, end)
    assert allowances.period(end - timedelta(microseconds=1)) == (start, end)
    assert allowances.period(end)[0] == end, "no moment lies between two periods"


def test_a_new_month_begins_with_fresh_credits_and_what_was_held_stays_with_its_own_month():
    membership = member(credits=10)
    begun_then = new_id()
    allowances.reserve(membership, 4, subject=begun_then)
    old = makers.month_over(membership)

    assert allowances.current(membership).free == 10
    allowances.settle(begun_then)
    old.refresh_from_db()
    assert (old.held, old.spent) == (0, 4)
    assert allowances.current(membership).free == 10


def test_a_grant_is_recorded_once_however_often_it_is_asked_for():
    membership = member(credits=7)
    assert {allowances.current(membership).pk for _ in range(3)} == {allowances.current(membership).pk}
    assert [(entry.kind, entry.amount) for entry in LedgerEntry.objects.all()] == [("grant", 7)]


# ---------------------------------------------------------------- what may not be


def test_without_credits_nothing_happens_and_the_sentence_says_how_many_are_free():
    membership = member(credits=5)
    allowances.reserve(membership, 3, subject=new_id())
    with pytest.raises(refusals.NotEnoughCredits, match="costs 3 credits, and 2 of 5 are free until 1 "):
        allowances.reserve(membership, 3, subject=new_id())
    allowance = allowances.current(membership)
    assert (allowance.held, allowance.free) == (3, 2)
    assert exact(allowance)


@pytest.mark.parametrize("first", [allowances.settle, allowances.give_back])
@pytest.mark.parametrize("second", [allowances.settle, allowances.give_back])
def test_nothing_is_closed_twice(first: Callable[[UUID], None], second: Callable[[UUID], None]):
    membership, subject = member(credits=5), new_id()
    allowances.reserve(membership, 3, subject=subject)
    first(subject)
    before = vars(allowances.current(membership)).copy()
    with pytest.raises(IntegrityError, match="settled_or_given_back_once"):
        second(subject)
    after = allowances.current(membership)
    assert (after.held, after.spent) == (before["held"], before["spent"])
    assert exact(after)


def test_nothing_is_reserved_twice():
    membership, subject = member(credits=5), new_id()
    allowances.reserve(membership, 1, subject=subject)
    with pytest.raises(IntegrityError, match="reserved_once"):
        allowances.reserve(membership, 1, subject=subject)
    assert allowances.current(membership).held == 1


def test_what_was_never_set_aside_is_neither_charged_nor_given_back():
    for close in (allowances.settle, allowances.give_back):
        with pytest.raises(LedgerEntry.DoesNotExist):
            close(new_id())


@pytest.mark.parametrize("change", ["held = 6", "spent = 6", "held = 3, spent = 3", "held = -1", "granted = 1"])
def test_the_database_refuses_an_overdraft(change: str):
    membership = member(credits=5)
    allowances.reserve(membership, 2, subject=new_id())
    with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_allowance set {change}")


@pytest.mark.parametrize("statement", ["update gateway_ledgerentry set amount = 0", "delete from gateway_ledgerentry"])
def test_the_ledger_is_append_only(statement: str):
    allowances.current(member(credits=5))
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_month_has_one_allowance():
    allowance = allowances.current(member(credits=5))
    allowance.pk = new_id()
    with pytest.raises(IntegrityError, match="one_allowance_a_period"), atomic():
        allowance.save(force_insert=True)


# ---------------------------------------------------------------- the end of a period


def test_what_is_left_of_a_month_expires_once_and_what_runs_keeps_what_it_holds():
    membership = member(credits=10)
    runs, ends_badly = new_id(), new_id()
    allowances.reserve(membership, 3, subject=runs)
    allowances.reserve(membership, 2, subject=ends_badly)
    assert allowances.expire() == 0, "the month goes on"
    old = makers.month_over(membership)
    assert (allowances.expire(), allowances.expire()) == (1, 0)
    assert exact(old)
    assert (old.held, old.expired, old.free) == (5, 5, 0)

    allowances.give_back(ends_badly)
    assert exact(old)
    assert (old.held, old.expired, old.free) == (3, 7, 0), "given back into a month that has ended: gone at once"
    allowances.settle(runs)
    assert exact(old)
    assert (old.held, old.spent, old.expired) == (0, 3, 7)
    assert allowances.expire() == 0
    assert allowances.current(membership).free == 10


def test_the_hourly_chore_ends_old_months():
    old = makers.month_over(member(credits=10))
    tasks.tidy()
    old.refresh_from_db()
    assert old.expired == 10


# ---------------------------------------------------------------- grants


def test_an_admin_grants_with_a_reason_that_the_member_reads(admin: Actor, artist: Actor):
    assert artist.membership is not None
    allowance = allowances.grant(artist.membership, 30, by=admin, reason="  For the   exhibition in May. ")
    assert (allowance.granted, allowance.free) == (50, 50)
    assert exact(allowance)
    entry = LedgerEntry.objects.get(by=admin.user)
    assert (entry.kind, entry.amount, entry.reason) == ("grant", 30, "For the exhibition in May.")
    notice = Notice.objects.get(user=artist.user)
    assert notice.subject == "You have 30 more credits"
    assert "For the exhibition in May." in notice.body
    told = audit.of(allowance).get(action="allowance.granted")
    assert b"exhibition" not in bytes(told.body), "why somebody gets credits may be personal"


@pytest.mark.parametrize(
    ("amount", "reason", "no"),
    [
        (30, "  ", refusals.ReasonNeeded),
        (0, "x", refusals.NotAGrant),
        (-5, "x", refusals.NotAGrant),
        (1_000_001, "x", refusals.NotAGrant),
    ],
)
def test_a_grant_without_a_reason_or_of_less_than_one_is_none(admin, artist, amount: int, reason: str, no: type):
    with pytest.raises(no):
        allowances.grant(artist.membership, amount, by=admin, reason=reason)
    assert allowances.current(artist.membership).granted == 20


def test_only_an_admin_in_person_grants(artist: Actor, reviewer: Actor, admin: Actor):
    assert artist.membership is not None
    token, _ = tokens.issue(by=admin, label="x", scopes=[])
    for by in (artist, reviewer, NOBODY, Actor("token", user=admin.user, token=token)):
        with pytest.raises(refusals.AdminsOnly):
            allowances.grant(artist.membership, 1, by=by, reason="x")


def test_the_database_refuses_a_persons_grant_without_a_reason(admin: Actor, artist: Actor):
    allowance = allowances.current(artist.membership)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="a_grant_by_a_person_has_a_reason"), atomic():
        LedgerEntry.objects.create(allowance=allowance, kind="grant", amount=1, by=admin.user)


# ---------------------------------------------------------------- the row and its ledger


def at_commit() -> None:
    """What the database says when the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("set constraints all deferred")


@pytest.mark.parametrize(
    "change", ["granted = granted + 1", "held = 1", "spent = 1", "expired = 1", "held = held - 1, spent = 1"]
)
def test_no_row_is_committed_that_its_ledger_does_not_add_up_to(change: str):
    allowances.reserve(member(credits=5), 1, subject=new_id())
    at_commit()
    with pytest.raises(IntegrityError, match="not what its ledger adds up to"), atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"update gateway_allowance set {change.replace('held = 1', 'held = 2')}")
        at_commit()


@pytest.mark.parametrize("kind", LedgerEntry.KINDS)
def test_no_entry_is_committed_without_its_row(kind: str):
    allowance = allowances.current(member(credits=5))
    at_commit()
    with pytest.raises(IntegrityError, match="not what its ledger adds up to"), atomic():
        LedgerEntry.objects.create(allowance=allowance, kind=kind, amount=1, subject=new_id())
        at_commit()


def test_a_damaged_row_is_found_and_set_to_what_its_ledger_says(admin: Actor):
    well, damaged = member(credits=5), member(credits=5)
    allowances.reserve(well, 1, subject=new_id())
    allowances.reserve(damaged, 2, subject=new_id())
    assert allowances.differences() == []
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table gateway_allowance disable trigger ledger_agrees")
        Allowance.objects.filter(membership=damaged).update(held=0, spent=1)
        cursor.execute("alter table gateway_allowance enable trigger ledger_agrees")
        cursor.execute("set constraints all deferred")
    (found,) = allowances.differences()
    assert (found.row, found.ledger) == ((5, 0, 1, 0), (5, 2, 0, 0))
    assert allowances.recompute(by=admin) == [found]
    assert allowances.differences() == []
    assert exact(allowances.current(damaged))
    assert [entry.action for entry in audit.of(allowances.current(damaged))] == ["allowance.recomputed"]


def test_nobody_but_an_admin_recomputes(artist: Actor):
    with pytest.raises(refusals.AdminsOnly):
        allowances.recompute(by=artist)


# ---------------------------------------------------------------- a token's own limit


def test_a_token_spends_no_more_than_its_own_limit_and_neither_does_what_it_was_rotated_into(artist: Actor):
    assert artist.membership is not None
    by = makers.with_token(artist, credits_limit=5)
    first = new_id()
    allowances.reserve(artist.membership, 3, subject=first, token=by.token)
    with pytest.raises(refusals.TokenSpent, match="costs 3 credits; this token may spend 2 of 5 more until"):
        allowances.reserve(artist.membership, 3, subject=new_id(), token=by.token)
    assert by.token is not None
    successor, _ = tokens.rotate(by.token, by=by)
    with pytest.raises(refusals.TokenSpent):
        allowances.reserve(artist.membership, 3, subject=new_id(), token=successor)
    allowances.give_back(first)
    allowances.reserve(artist.membership, 5, subject=new_id(), token=successor)
    allowances.reserve(artist.membership, 15, subject=new_id())
    assert exact(allowances.current(artist.membership))


# ---------------------------------------------------------------- any order of things


class Credits(RuleBasedStateMachine):
    """Reserve, settle and give back in any order, right or wrong: the row is always what the ledger adds up to."""

    open = Bundle("open")
    closed = Bundle("closed")

    def __init__(self) -> None:
        super().__init__()
        self.membership = member(credits=12)
        self.held = self.spent = 0

    @rule(target=open, amount=st.integers(0, 6))
    def reserve(self, amount: int) -> tuple[UUID, int] | Any:
        subject = new_id()
        if self.held + self.spent + amount <= 12:
            allowances.reserve(self.membership, amount, subject=subject)
            self.held += amount
            return subject, amount
        with pytest.raises(refusals.NotEnoughCredits):
            allowances.reserve(self.membership, amount, subject=subject)
        return None

    @rule(target=closed, what=consumes(open), charged=st.booleans())
    def close(self, what: tuple[UUID, int] | None, charged: bool) -> UUID | None:
        if what is None:
            return None
        subject, amount = what
        (allowances.settle if charged else allowances.give_back)(subject)
        self.held -= amount
        self.spent += amount if charged else 0
        return subject

    @rule(subject=closed, charged=st.booleans())
    def close_again(self, subject: UUID | None, charged: bool) -> None:
        if subject is not None:
            with pytest.raises(IntegrityError):
                (allowances.settle if charged else allowances.give_back)(subject)

    @rule(what=open)
    def reserve_again(self, what: tuple[UUID, int] | None) -> None:
        if what is not None:
            with pytest.raises((IntegrityError, refusals.NotEnoughCredits)):
                allowances.reserve(self.membership, 1, subject=what[0])

    @invariant()
    def the_row_is_what_the_ledger_adds_up_to(self) -> None:
        allowance = allowances.current(self.membership)
        assert (allowance.held, allowance.spent) == (self.held, self.spent)
        assert exact(allowance)


def test_credits_are_exact_in_any_order_of_things():
    run_state_machine_as_test(Credits, settings=settings(max_examples=12, stateful_step_count=15, deadline=None))


# ---------------------------------------------------------------- all at once


def test_credits_are_exact_when_everything_happens_at_once(at_once: Callable[..., list[Any]]):
    """Twenty ask for one of ten credits, among them the very first of the month; then each end is told twice."""
    membership = member(credits=10)
    subjects = [new_id() for _ in range(20)]
    answers = at_once(*[partial(allowances.reserve, membership, 1, subject=subject) for subject in subjects])
    assert answers.count(None) == 10
    assert sum(isinstance(answer, refusals.NotEnoughCredits) for answer in answers) == 10
    allowance = allowances.current(membership)
    assert (allowance.held, allowance.free) == (10, 0)

    got = [subject for subject, answer in zip(subjects, answers, strict=True) if answer is None]
    ends = [partial(end, subject) for subject in got for end in (allowances.settle, allowances.give_back)]
    answers = at_once(*ends)
    assert answers.count(None) == 10
    assert sum(isinstance(answer, IntegrityError) for answer in answers) == 10
    assert exact(allowance)
    assert allowance.held == 0
    assert Allowance.objects.count() == 1
    assert LedgerEntry.objects.filter(kind="grant").count() == 1


def test_a_tokens_limit_holds_when_it_asks_for_all_at_once(at_once: Callable[..., list[Any]]):
    artist = makers.artist(credits=50)
    by = makers.with_token(artist, credits_limit=4)
    assert artist.membership is not None
    answers = at_once(
        *[partial(allowances.reserve, artist.membership, 1, subject=new_id(), token=by.token) for _ in range(16)]
    )
    assert answers.count(None) == 4
    assert sum(isinstance(answer, refusals.TokenSpent) for answer in answers) == 12
    assert exact(allowances.current(artist.membership))


def test_a_month_that_ends_while_credits_come_back_keeps_its_sums(at_once: Callable[..., list[Any]]):
    membership = member(credits=10)
    subjects = [new_id() for _ in range(6)]
    for subject in subjects:
        allowances.reserve(membership, 1, subject=subject)
    old = makers.month_over(membership)
    ends = [
        partial(end, subject)
        for subject, end in zip(subjects, [allowances.give_back, allowances.settle] * 3, strict=True)
    ]
    answers = at_once(*ends, *[allowances.expire] * 6)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    allowances.expire()
    assert exact(old)
    assert (old.held, old.spent, old.expired, old.free) == (0, 3, 7, 0)


def test_an_artist_of_another_cohort_has_credits_of_their_own(artist: Actor, stranger: Actor):
    assert artist.membership is not None
    assert stranger.membership is not None
    allowances.reserve(artist.membership, 20, subject=new_id())
    assert allowances.current(stranger.membership).free == 20
