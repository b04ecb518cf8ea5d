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
from django.utils import timezone as django_timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from gateway import allowances, refusals
from gateway.actors import Actor
from gateway.models import Allowance, LedgerEntry, Membership
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
    return dict.fromkeys(("grant", "reserve", "settle", "give_back"), 0) | {row["kind"]: row["sum"] for row in sums}


def exact(allowance: Allowance) -> bool:
    """Whether the row says what its ledger adds up to."""
    allowance.refresh_from_db()
    sums = booked(allowance)
    return (
        allowance.granted == sums["grant"]
        and allowance.spent == sums["settle"]
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
    start, _ = allowances.period(django_timezone.now())
    last_month, _ = allowances.period(start - timedelta(days=1))
    old = Allowance.objects.create(
        membership=membership, starts_at=last_month, ends_at=start, granted=10, held=4, spent=6
    )
    begun_then = new_id()
    LedgerEntry.objects.create(allowance=old, kind="reserve", amount=4, subject=begun_then)

    assert allowances.current(membership).free == 10
    allowances.settle(begun_then)
    old.refresh_from_db()
    assert (old.held, old.spent) == (0, 10)
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


def test_an_artist_of_another_cohort_has_credits_of_their_own(artist: Actor, stranger: Actor):
    assert artist.membership is not None
    assert stranger.membership is not None
    allowances.reserve(artist.membership, 20, subject=new_id())
    assert allowances.current(stranger.membership).free == 20
