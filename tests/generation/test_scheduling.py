"""Which generation is next."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gateway import allowances, audit, brakes, members
from generation import scheduling
from generation.models import Generation, ModelProfile
from tests import makers
from tests.generation.places import positions

pytestmark = pytest.mark.django_db


def claim() -> Generation | None:
    return scheduling.claim("default", worker="gpu@test")


def test_twenty_workers_for_one_generation_and_one_gets_it(at_once, transactional_db):
    makers.queued(makers.artist())
    answers = at_once(*[claim] * 20)
    assert [answer for answer in answers if answer is not None] == [Generation.objects.get()]
    assert Generation.objects.get().fence == 1


def test_twenty_workers_for_ten_generations_of_one_artist_and_all_are_drawn(at_once, transactional_db):
    artist = makers.artist()
    for _ in range(10):
        makers.queued(artist)
    answers = at_once(*[claim] * 20)
    assert len({answer.pk for answer in answers if answer is not None}) == 10
    assert not [answer for answer in answers if isinstance(answer, Exception)]


def test_a_burst_starves_nobody(artist, stranger):
    for _ in range(15):
        makers.queued(artist)
    mine = [makers.queued(stranger).pk for _ in range(5)]
    order = [claim().pk for _ in range(20)]
    for k, pk in enumerate(mine, start=1):
        assert order.index(pk) < 2 * k + 1


def test_who_was_served_much_does_not_wait_behind_who_comes_anew(artist, stranger):
    for _ in range(10):
        makers.queued(artist)
        claim()
    makers.queued(artist)
    for _ in range(3):
        makers.queued(stranger)
    assert artist.membership.pk in [claim().membership_id for _ in range(2)]


def test_a_cohort_of_twice_the_weight_is_served_twice_as_much():
    heavy = makers.artist(cohort=makers.cohort(weight=2))
    light = makers.artist()
    for _ in range(6):
        makers.queued(heavy)
        makers.queued(light)
    first = [claim().membership_id for _ in range(6)]
    assert first.count(heavy.membership.pk) == 4


def test_a_suspended_members_work_waits(artist, admin):
    makers.queued(artist)
    members.suspend(artist.membership, by=admin, reason="A question about the terms.")
    assert claim() is None


def test_a_warm_model_goes_first_within_a_minute(artist):
    cold = makers.queued(artist)
    sketch = ModelProfile.objects.get(slug="sketch")
    other = makers.twin(sketch, "other")
    warm = makers.queued(artist, model="other")
    assert scheduling.claim("default", worker="w", warm=[other.pk]) == warm
    again = makers.queued(artist, model="other")
    with connection.cursor() as cursor:
        cursor.execute(
            "update generation_generation set created_at = created_at - interval '2 minutes' where id = %s", [cold.pk]
        )
    assert scheduling.claim("default", worker="w", warm=[other.pk]) == cold
    assert scheduling.claim("default", worker="w", warm=[]) == again


class Line(TestCase):
    """The place in line that an artist sees is the place that the claim gives."""

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2), st.booleans()), min_size=1, max_size=12))
    def test_positions_are_the_order_of_the_claims(self, asked):
        cohorts = [makers.cohort(weight=weight) for weight in (1, 2)]
        artists = [makers.artist(cohort=cohorts[n % 2], credits=60) for n in range(4)]
        for who, seconds, claimed in asked:
            makers.queued(artists[who], seconds=seconds)
            if claimed:
                claim()
        line = positions("default", Generation.objects.filter(state="queued"))
        order: list[UUID] = []
        while generation := claim():
            order.append(generation.pk)
        assert sorted(line, key=line.__getitem__) == order


class Share(TestCase):
    """Whoever always has work waiting is served as much as everybody else, in credits over the cohort's weight."""

    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(st.integers(1, 3), min_size=2, max_size=4),
        st.lists(st.integers(1, 3), min_size=6, max_size=12),
    )
    def test_no_two_differ_by_more_than_the_largest_clip(self, weights, lengths):
        makers.sketch()
        ModelProfile.objects.filter(slug="sketch").update(seconds=[1, 2, 3])
        members = [makers.artist(cohort=makers.cohort(weight=weight), credits=100) for weight in weights]
        lengths = iter(lengths)
        asked = {
            by.membership.pk: [makers.queued(by, seconds=next(lengths, 1)).credits for _ in range(3)] for by in members
        }
        largest = max(max(queue) for queue in asked.values())
        served = dict.fromkeys(asked, 0.0)
        weight = {by.membership.pk: by.membership.cohort.weight for by in members}
        while all(asked.values()):  # until the first of them has nothing left
            claimed = claim()
            served[claimed.membership_id] += asked[claimed.membership_id].pop(0) / weight[claimed.membership_id]
            assert max(served.values()) - min(served.values()) <= largest + 1e-9


def test_of_what_a_machine_has_no_files_for_it_takes_nothing(artist, stranger):
    other = makers.twin(makers.sketch(), "other")
    theirs, mine = makers.queued(stranger, model="other"), makers.queued(artist, model="sketch")
    assert scheduling.claim("default", worker="w", has=[]) is None
    assert scheduling.claim("default", worker="w", has=[mine.model_id]) == mine
    assert scheduling.claim("default", worker="w", has=[mine.model_id]) is None
    assert scheduling.claim("default", worker="w", has=[mine.model_id, other.pk]) == theirs


@pytest.mark.parametrize("scope", ["token", "guest_pass"])
def test_a_braked_credentials_work_is_passed_over_before_the_sweep_comes_by(scope, artist, stranger, admin):
    asks = makers.visitor(makers.lent(artist)) if scope == "guest_pass" else makers.with_token(artist)
    braked, free = makers.queued(asks), makers.queued(stranger)
    pulled = brakes.pull(scope, braked.targets[scope], by=admin, label="a test", reason="A question.")
    waiting = Generation.objects.all()
    assert positions("default", waiting) == {free.pk: 1}
    assert claim() == free
    brakes.release(pulled, by=admin)
    assert positions("default", waiting) == {braked.pk: 1}


def test_a_claim_costs_the_same_in_a_long_line(artist, stranger):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            claim()
        return len(queries)

    makers.queued(artist)
    makers.queued(artist)
    few = cost()
    for _ in range(8):
        makers.queued(stranger)
    assert cost() == few


def test_a_newcomer_in_a_quiet_moment_owes_and_is_owed_nothing(artist, stranger):
    """Nobody waits when the stranger comes; the artist, who was served before, must not wait behind all of their burst."""
    for _ in range(10):
        makers.queued(artist)
        claim()
    theirs = [makers.queued(stranger).pk for _ in range(8)]
    mine = makers.queued(artist)
    order = [claim().pk for _ in range(9)]
    assert order.index(mine.pk) <= 1
    assert set(order) == {mine.pk, *theirs}


def test_who_waits_under_a_suspension_is_no_measure_for_who_comes(artist, stranger, admin):
    suspended = makers.artist()
    makers.queued(suspended)
    members.suspend(suspended.membership, by=admin, reason="A question about the terms.")
    for _ in range(10):
        makers.queued(artist)
        claim()
    mine = makers.queued(artist)
    for _ in range(8):
        makers.queued(stranger)
    order = [claim().pk for _ in range(9)]
    assert order.index(mine.pk) <= 1


def test_who_is_suspended_stands_in_nobodys_way_in_the_line(artist, stranger, admin):
    makers.queued(stranger)
    mine = makers.queued(artist)
    members.suspend(stranger.membership, by=admin, reason="A question about the terms.")
    assert positions("default", Generation.objects.all()) == {mine.pk: 1}


def test_a_claim_is_recorded_with_its_fence_and_worker(artist):
    generation = makers.queued(artist)
    claimed = claim()
    assert claimed == generation
    assert (claimed.state, claimed.fence, claimed.worker, claimed.step) == ("in_progress", 1, "gpu@test", 0)
    assert claimed.lease_until is not None
    assert claimed.started_at is not None
    last = audit.of(generation).last()
    assert last is not None
    facts = json.loads(bytes(last.body))
    assert (last.action, facts["facts"]) == ("generation.in_progress", {"fence": 1, "worker": "gpu@test"})
    assert facts["actor"] == {"kind": "worker", "name": "gpu@test"}


def test_a_worker_takes_from_its_own_pool_alone(artist):
    mine = makers.queued(artist)
    assert scheduling.claim("large", worker="gpu@test") is None
    assert positions("large", [mine]) == {}


def test_a_lease_is_renewed_by_its_holder_alone(artist, settings):
    makers.queued(artist)
    claimed = claim()
    Generation.objects.update(lease_until=Now())
    assert scheduling.renew(claimed)
    left = Generation.objects.annotate(left=F("lease_until") - Now()).get().left
    assert left.total_seconds() == pytest.approx(settings.LEASE_SECONDS, abs=1)
    Generation.objects.update(fence=2)
    assert not scheduling.renew(claimed)


def test_of_two_hundred_and_five_the_five_are_not_kept_waiting(stranger):
    """The k-th of who comes second begins within 2k + workers beginnings, counted from when they asked."""
    workers = 3
    busy = makers.artist(cohort=makers.cohort(concurrent=300), credits=300)
    first = makers.queued(busy)
    kept = {field.attname: getattr(first, field.attname) for field in Generation._meta.fields}
    for _ in range(199):
        more = Generation.objects.create(**{**kept, "id": makers.new_id()})
        allowances.reserve(busy.membership, more.credits, subject=more.pk, token=None)
    for _ in range(workers):
        claim()
    mine = [makers.queued(stranger).pk for _ in range(5)]
    order = [claim().pk for _ in range(2 * len(mine) + workers)]
    for k, pk in enumerate(mine, start=1):
        assert order.index(pk) + 1 <= 2 * k + workers


def test_a_stream_of_warm_work_does_not_starve_a_cold_model(artist):
    cold = makers.queued(artist)
    sketch = ModelProfile.objects.get(slug="sketch")
    warm = makers.twin(sketch, "other")
    for _ in range(3):  # within the minute the warm ones go first
        makers.queued(artist, model="other")
        assert scheduling.claim("default", worker="w", warm=[warm.pk]).model_id == warm.pk
    Generation.objects.filter(pk=cold.pk).update(created_at=Now() - timedelta(seconds=61))
    makers.queued(artist, model="other")
    assert scheduling.claim("default", worker="w", warm=[warm.pk]) == cold
