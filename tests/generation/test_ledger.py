"""Whatever happens in whatever order: an allowance is what its ledger says, and what the generations say."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway import actors, allowances, refusals, states
from gateway.actors import Actor
from gateway.models import Allowance, LedgerEntry
from generation import generations, limits, scheduling, worker
from generation.models import Generation, Output
from tests import makers

pytestmark = pytest.mark.django_db
W = actors.worker("w")


class Ledger(RuleBasedStateMachine):
    """Two artists, one with a token that has a limit, a worker, the sweep, an admin, and months that end."""

    taken: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        makers.sketch()
        cohort = makers.cohort(concurrent=6, daily=40)
        self.artists = [makers.artist(credits=5, cohort=cohort) for _ in range(2)]
        self.people: list[Actor] = [
            *self.artists,
            makers.with_token(self.artists[0], credits_limit=3),
            makers.with_token(self.artists[1], mode="test"),
        ]
        self.admin = makers.admin()
        self.claimed: list[Generation] = []

    def mine(self) -> Any:
        return Generation.objects.filter(membership__in=[artist.membership for artist in self.artists])

    @rule(who=st.integers(0, 3), seconds=st.sampled_from([1, 2]))
    def ask(self, who: int, seconds: int) -> None:
        before = LedgerEntry.objects.count()
        try:
            generations.submit(by=self.people[who], prompt="a red circle", seconds=seconds)
        except refusals.Refused as refused:
            self.taken[refused.code] += 1
            # The month's grant may have been made by the look at it.
            assert LedgerEntry.objects.count() - before <= 1, "a rejected call costs nothing"
        else:
            self.taken["asked"] += 1

    @rule(which=st.integers(0, 20))
    def cancel(self, which: int) -> None:
        under_way = list(self.mine().exclude(state__in=Generation.ENDED).select_related("membership").order_by("pk"))
        if under_way:
            found = under_way[which % len(under_way)]
            generations.cancel(found, by=next(a for a in self.artists if a.membership == found.membership))
            self.taken["cancelled"] += 1

    @rule(who=st.integers(0, 3), seconds=st.sampled_from([1, 2]))
    def ask_again(self, who: int, seconds: int) -> None:
        self.ask(who, seconds)

    @rule()
    def claim(self) -> None:
        if (found := scheduling.claim("default", worker="w")) is not None:
            self.claimed.append(found)

    @precondition(lambda self: self.claimed)
    @rule(which=st.integers(0, 20), well=st.booleans())
    def end(self, which: int, well: bool) -> None:
        """A worker ends what it claimed: perhaps it was cancelled or swept meanwhile, perhaps it has ended it before."""
        claimed = self.claimed[which % len(self.claimed)]
        if well:
            try:
                with atomic():
                    now = Q(fence=claimed.fence)
                    states.move(claimed, "completed", by=W, when=now, ended_at=Now(), lease_until=None)
                    video = {"kind": "video", "media_type": "video/mp4", "sha256": "0" * 64, "size": 1}
                    Output.objects.create(
                        generation=claimed, path=f"{claimed.pk}/{claimed.fence}", width=1, height=1, **video
                    )
                    allowances.settle(claimed.pk)
                self.taken["completed"] += 1
            except refusals.WrongState:
                self.taken["too late"] += 1
        else:
            worker._fail(claimed, W, "x", "It broke.")

    @rule()
    def draw(self) -> None:
        self.claim()
        if self.claimed:
            self.end(len(self.claimed) - 1, well=True)

    @rule(dead=st.booleans())
    def sweep(self, dead: bool) -> None:
        if dead:
            self.mine().filter(state="in_progress").update(lease_until=Now() - timedelta(seconds=1))
            self.taken["died"] += 1
        worker.sweep()

    @rule(who=st.integers(0, 1), amount=st.integers(-20, 5))
    def grant(self, who: int, amount: int) -> None:
        if amount < 1:  # seldom, or nobody ever runs out of credits
            return
        membership = self.artists[who].membership
        assert membership is not None
        allowances.grant(membership, amount, by=self.admin, reason="More.")
        self.taken["granted"] += 1

    @rule(who=st.integers(0, 12))
    def month_ends(self, who: int) -> None:
        if who > 1:  # seldom, too
            return
        membership = self.artists[who].membership
        assert membership is not None
        months = timedelta(days=40)
        for old in Allowance.objects.filter(membership=membership).order_by("starts_at"):
            Allowance.objects.filter(pk=old.pk).update(starts_at=old.starts_at - months, ends_at=old.ends_at - months)
        self.taken["month"] += 1

    @rule()
    def expire(self) -> None:
        self.taken["expired"] += allowances.expire()

    @invariant()
    def everything_agrees(self) -> None:
        self.taken["steps"] += 1
        with connection.cursor() as cursor:  # what the database would say at the commit
            cursor.execute("set constraints all immediate")
            cursor.execute("set constraints all deferred")
        assert allowances.differences() == []
        clips = {clip.pk: clip for clip in self.mine()}
        for artist in self.artists:
            assert artist.membership is not None
            reserved: dict[UUID, list[Generation]] = {}
            entries = LedgerEntry.objects.filter(allowance__membership=artist.membership, kind="reserve")
            for allowance_id, subject in entries.values_list("allowance_id", "subject"):
                reserved.setdefault(allowance_id, []).append(clips[subject])
            for allowance in Allowance.objects.filter(membership=artist.membership):
                asked = reserved.get(allowance.pk, [])
                assert allowance.held == sum(clip.credits for clip in asked if not clip.ended)
                assert allowance.spent == sum(clip.credits for clip in asked if clip.state == "completed")
            under_way = [c for c in clips.values() if c.membership_id == artist.membership.pk and not c.ended]
            assert limits.use(artist.membership).under_way == len(under_way) <= 6
        limited = self.people[2].token
        assert limited is not None
        for allowance in Allowance.objects.filter(membership=self.artists[0].membership):
            assert 0 <= allowances.used_by(limited, allowance) <= 3


def steps(number: int) -> None:
    """Go on until so many steps were taken and all that can happen has happened; say how often each did."""
    events = (
        "asked",
        "cancelled",
        "completed",
        "too late",
        "died",
        "granted",
        "month",
        "expired",
        "not_enough_credits",
    )
    Ledger.taken.clear()
    while Ledger.taken["steps"] < number or not all(Ledger.taken[event] for event in events):
        assert Ledger.taken["steps"] < 3 * number, f"something never happened: {dict(Ledger.taken)}"
        with atomic():
            run_state_machine_as_test(
                seed(Ledger.taken["steps"])(Ledger),  # the same walk each time; what comes next is another
                settings=settings(
                    max_examples=10,
                    stateful_step_count=50,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    print(dict(Ledger.taken))


@pytest.mark.timeout(600)
def test_the_ledger_equals_the_rows_after_a_thousand_steps_of_any_kind():
    steps(1_000)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_ledger_equals_the_rows_after_ten_thousand_steps_of_any_kind():
    steps(10_000)
