"""Which generation is next."""

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gateway import members
from generation import scheduling
from generation.models import Generation, ModelProfile
from tests import makers

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
    other = ModelProfile.objects.create(
        **{
            field.name: getattr(sketch, field.name)
            for field in ModelProfile._meta.fields
            if field.name not in ("id", "slug", "created_at")
        },
        slug="other",
    )
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
        line = scheduling.positions("default")
        order: list[UUID] = []
        while generation := claim():
            order.append(generation.pk)
        assert sorted(line, key=line.__getitem__) == order


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
