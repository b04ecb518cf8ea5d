"""What every request asks is put together once a process, and planned once a connection."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import tokens
from gateway.actors import Actor
from gateway.models import Membership, User
from gateway.prepared import Statement, prepared
from tests import makers

pytestmark = pytest.mark.django_db


def plans(table: str) -> list[int]:
    """How often each prepared statement about `table` was asked on this connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select generic_plans + custom_plans from pg_prepared_statements where statement like %s", [f"%{table}%"]
        )
        return [asked for (asked,) in cursor.fetchall()]


def test_the_statement_that_finds_a_token_is_prepared_once(artist: Actor, stranger: Actor):
    before = sum(plans("gateway_token"))
    for secret in (makers.token(artist), makers.token(stranger)) * 3:
        tokens.find(secret)
    assert len(plans("gateway_token")) == 1
    assert sum(plans("gateway_token")) - before == 6


def test_outside_nothing_is_prepared_also_after_an_error():
    with pytest.raises(DatabaseError), atomic(), prepared():
        User.objects.extra(where=["nothing"]).count()
    assert User.objects.filter(name="somebody else").count() == 0
    assert not [asked for asked in plans("somebody else") if asked]


def test_each_thread_prepares_for_itself(at_once: Callable[..., list[Any]]):
    secret = makers.token(makers.artist())
    found = at_once(*[lambda: tokens.find(secret)] * 8)
    assert len({token.pk for token in found}) == 1


BY_NAME = Statement(
    lambda name, since: User.objects.filter(name=name, created_at__gte=since).order_by("id"), str, datetime
)


def test_a_statement_gives_what_its_query_gives_whatever_the_values():
    long_ago, soon = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    twins = [makers.user("Ines Marchetti") for _ in range(2)]
    makers.user("Tomás Okafor")
    for name, since in [("Ines Marchetti", long_ago), ("Tomás Okafor", long_ago), ("Ines Marchetti", soon), ("", soon)]:
        query = User.objects.filter(name=name, created_at__gte=since).order_by("id")
        assert BY_NAME.all(name, since) == list(query)
        assert BY_NAME.first(name, since) == query.first()
    assert BY_NAME.all("Ines Marchetti", long_ago) == twins


def test_related_rows_annotations_and_deferred_fields_come_along(artist: Actor, django_assert_num_queries):
    statement = Statement(
        lambda pk: Membership.objects.filter(pk=pk).select_related("user").only("user__name").annotate(asked_at=Now()),
        UUID,
    )
    membership = artist.must_be_member()
    with django_assert_num_queries(1):
        found = statement.first(membership.pk)
        assert (found.user.name, found.asked_at.year) == (artist.user.name, datetime.now(UTC).year)
    assert found.get_deferred_fields() >= {"state"}


def test_what_the_shape_of_a_query_depends_on_can_be_no_value():
    with pytest.raises(ValueError, match="Not every value is in the statement"):
        Statement(lambda name: User.objects.filter(name__isnull=name is None), str).all("Ines Marchetti")
